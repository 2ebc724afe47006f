"""What is odd, kept in one place: said once in the log, and in diagnostics for as long as it lasts.

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
"""Seconds that nodes may take to find each other: what is missing is not complained of before."""

QUIET_AFTER = 10.0
"""Seconds without another sighting after which an observation is over."""


class Logger(Protocol):
    """What is needed of rclpy's."""

    def warning(self, message: str) -> bool:
        """Log what is odd."""
        ...

    def info(self, message: str) -> bool:
        """Log that it is over."""
        ...


@dataclass(frozen=True)
class Observation:
    """Something odd.

    subject: a short constant text, by which it is known.
    text: what was seen the last time, with the value and what would be right.
    since, last: seconds of a monotonic clock: when it began, and when it was seen the last time.
    count: how often it was seen since it began.
    is_said: it has lasted long enough to be told.
    """

    subject: str
    text: str
    since: float
    last: float
    count: int
    is_said: bool = False


class Observations:
    """Remembers what is odd at present; any thread may call it.

    logger: is told once when something odd begins, and once when it is over.
    clock: monotonic seconds.
    """

    def __init__(self, logger: Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger = logger
        self._clock = clock
        self._lock = threading.Lock()
        self._present: dict[str, Observation] = {}
        self.quiet_after = QUIET_AFTER
        """Seconds without another sighting after which an observation is over; longer where
        images come more seldom."""

    def saw(self, subject: str, text: str, patience: float = 0.0) -> None:
        """Something odd is there, perhaps still.

        patience: seconds for which it must have lasted before it is said.
        """
        now = self._clock()
        with self._lock:
            known = self._present.get(subject, Observation(subject, text, now, now, 0))
            begins = not known.is_said and now - known.since >= patience
            self._present[subject] = replace(
                known,
                text=text,
                last=now,
                count=known.count + 1,
                is_said=known.is_said or begins,
            )
        if begins:
            self._logger.warning(f"{subject}: {text}")

    def settled(self, subject: str) -> None:
        """It is known to be over; nothing happens where it was not there."""
        with self._lock:
            over = self._present.pop(subject, None)
        if over is not None:
            self._say_over(over)

    def clear(self) -> None:
        """Forget everything without a word."""
        with self._lock:
            self._present.clear()

    def present(self) -> tuple[Observation, ...]:
        """All that is odd now, the oldest first; what was not seen for long is over."""
        now = self._clock()
        with self._lock:
            quiet = [o for o in self._present.values() if now - o.last > self.quiet_after]
            for over in quiet:
                del self._present[over.subject]
            present = tuple(o for o in self._present.values() if o.is_said)
        for over in quiet:
            self._say_over(over)
        return present

    def _say_over(self, over: Observation) -> None:
        if not over.is_said:
            return
        times = "once" if over.count == 1 else f"{over.count} times"
        self._logger.info(f"over: {over.subject} ({times} in {over.last - over.since:.0f} s)")
