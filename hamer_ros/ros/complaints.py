"""Warnings that do not flood the log."""

from __future__ import annotations

import time
from typing import Protocol

REPEAT_AFTER = 5.0
"""Seconds after which the same complaint is logged again."""


class Logger(Protocol):
    """What is needed of rclpy's."""

    def warning(self, message: str) -> bool:
        """Log a text."""
        ...


class Complaints:
    """Warns, but not more often than every `REPEAT_AFTER` about the same subject; any thread."""

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
        self._last: dict[str, float] = {}

    def __call__(self, subject: str, text: str) -> None:
        """Warn of something; the subject is a short constant text."""
        now = time.monotonic()
        if now - self._last.get(subject, -REPEAT_AFTER) >= REPEAT_AFTER:
            self._last[subject] = now
            self._logger.warning(f"{subject}: {text}")
