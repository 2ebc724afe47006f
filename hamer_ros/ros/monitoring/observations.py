"""The record of what is odd: logged once, and in diagnostics for as long as it lasts.

Some of it stops an image (a bad stamp), some is accepted (a guessed field of view).  Either way a
person has to learn of it, with the value, and to learn when it is over, without a log that floods.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

DISCOVERY_TIME = 3.0
"""Seconds that nodes may take to discover each other; nothing missing is logged before."""

QUIET_AFTER = 10.0
"""Seconds without a repetition after which an observation is over."""


class Logger(Protocol):
    """The methods of rclpy's logger that are used."""

    def warning(self, message: str) -> bool:
        """Log what is odd."""
        ...

    def info(self, message: str) -> bool:
        """Log that it is over."""
        ...


@dataclass(frozen=True)
class Observation:
    """Something odd.

    subject: a short constant text that identifies it.
    text: the last occurrence, with the value and what would be right.
    since: seconds of a monotonic clock, of the first occurrence.
    last: the same, of the last occurrence.
    count: number of occurrences.
    is_logged: it has lasted long enough to be logged.
    """

    subject: str
    text: str
    since: float
    last: float
    count: int
    is_logged: bool = False


class Observations:
    """Records what is odd at present; any thread may call it.

    logger: called once when something odd begins, and once when it is over.
    clock: monotonic seconds.
    """

    def __init__(self, logger: Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger = logger
        self._clock = clock
        self._lock = threading.Lock()
        self._present: dict[str, Observation] = {}
        self.quiet_after = QUIET_AFTER
        """Seconds without a repetition after which an observation is over; longer where images come
        more seldom."""

    def note(self, subject: str, text: str, delay_seconds: float = 0.0) -> None:
        """Record an occurrence of something odd.

        delay_seconds: how long it must have lasted before it is logged.
        """
        now = self._clock()
        with self._lock:
            known = self._present.get(subject, Observation(subject, text, now, now, 0))
            begins = not known.is_logged and now - known.since >= delay_seconds
            self._present[subject] = replace(
                known,
                text=text,
                last=now,
                count=known.count + 1,
                is_logged=known.is_logged or begins,
            )
        if begins:
            self._logger.warning(f"{subject}: {text}")

    def settled(self, subject: str) -> None:
        """End an observation that is known to be over; nothing happens where there is none."""
        with self._lock:
            over = self._present.pop(subject, None)
        if over is not None:
            self._log_end(over)

    def clear(self) -> None:
        """Forget everything without logging."""
        with self._lock:
            self._present.clear()

    def present(self) -> tuple[Observation, ...]:
        """Return all that is odd now, the oldest first; what did not occur for long is over."""
        now = self._clock()
        with self._lock:
            quiet = [o for o in self._present.values() if now - o.last > self.quiet_after]
            for over in quiet:
                del self._present[over.subject]
            present = tuple(o for o in self._present.values() if o.is_logged)
        for over in quiet:
            self._log_end(over)
        return present

    def _log_end(self, over: Observation) -> None:
        if not over.is_logged:
            return
        times = "once" if over.count == 1 else f"{over.count} times"
        self._logger.info(f"over: {over.subject} ({times} in {over.last - over.since:.0f} s)")
