"""Estimation of lost messages on a topic, and detection of a second publisher.

A publisher numbers its messages, and many middlewares pass the number on: a number left out is a
lost message, and two interleaved sequences of numbers come from two publishers.  Without numbers
the stamps tell of losses: an image is missing where a step is a multiple of the usual one.
"""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass

WINDOW = 5.0
"""Seconds of arrivals that are looked at."""
FEW = 10
"""Least number of missing messages before a loss is reported, and of known steps between stamps."""
FASTEST, BURST = 250.0, 15
"""Messages a second, and at once, that one publisher sends at most: a number that is farther ahead
belongs to another publisher."""
SHARE = 0.2
"""Share of the sent messages that is missing when a loss is reported."""
SEQUENCE_ENDS_AFTER = 2.0
"""Seconds without a successor after which a sequence of numbers ends: its publisher has stopped."""
SHARE_BY_STAMPS = 0.5
"""The same share where only stamps are known, which jitter."""
USUAL_STEP = 0.1
"""Quantile of the steps between stamps that counts as the usual step."""


@dataclass
class _Sequence:
    """The numbers of one publisher: the last one, the time of the first, and that of the last."""

    last: int
    began: float
    time: float


@dataclass(frozen=True)
class _Arrival:
    time: float
    stamp: int
    lost_before: int | None


class Arrivals:
    """Records the messages of one topic; times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._sequences: list[_Sequence] = []
        self._recent: deque[_Arrival] = deque()
        self._last: float | None = None
        self.count = 0
        """The number of messages so far."""
        self.period: float | None = None
        """The seconds between the last two messages."""
        self.is_numbered = True
        """True if the middleware passes on the publishers' numbers."""

    def add(self, number: int | None, stamp: int, now: float) -> None:
        """Record a message.

        number: the publisher's own; None where the middleware does not pass it on.
        stamp: nanoseconds, from the header.
        """
        self.period = None if self._last is None else now - self._last
        self._last, self.count = now, self.count + 1
        self._sequences = [s for s in self._sequences if now - s.time <= SEQUENCE_ENDS_AFTER]
        self.is_numbered = number is not None
        lost = None if number is None else self._continue_sequence(number, now)
        self._recent.append(_Arrival(now, stamp, lost))
        while self._recent[0].time < now - WINDOW:
            self._recent.popleft()

    def pause(self) -> None:
        """End all sequences: messages are not looked at for a while."""
        self._sequences.clear()

    @property
    def is_mixed(self) -> bool:
        """True if several publishers send at the same time: each went on after the others began."""
        went_on = sorted(s.time for s in self._sequences if s.time > s.began)
        began = sorted(s.began for s in self._sequences if s.time > s.began)
        return len(began) > 1 and went_on[-2] > began[-1]

    def lost(self, now: float) -> tuple[int, int] | None:
        """Return (lost, sent) of the last seconds where many are lost; None otherwise."""
        recent = [arrival for arrival in self._recent if arrival.time >= now - WINDOW]
        numbers = [a.lost_before for a in recent if a.lost_before is not None]
        lost = sum(numbers) if numbers else _missing_by_stamps([a.stamp for a in recent])
        sent = lost + len(recent)
        share = SHARE if numbers else SHARE_BY_STAMPS
        return (lost, sent) if lost >= max(FEW, share * sent) else None

    def _continue_sequence(self, number: int, now: float) -> int:
        """Return how many numbers are missing before this one."""
        candidates = [
            s for s in self._sequences if s.last < number <= s.last + _max_advance(s, now)
        ]
        if not candidates:
            self._sequences.append(_Sequence(number, now, now))
            return 0
        sequence = max(candidates, key=lambda sequence: sequence.last)
        lost = number - sequence.last - 1
        sequence.last, sequence.time = number, now
        return lost


def _max_advance(sequence: _Sequence, now: float) -> float:
    """Return by how much the next number of a sequence can be ahead."""
    return BURST + FASTEST * (now - sequence.time)


def _missing_by_stamps(stamps: list[int]) -> int:
    """Return how many stamps are missing, judged by their usual step."""
    steps = sorted(b - a for a, b in itertools.pairwise(stamps) if b > a)
    if len(steps) < FEW:
        return 0
    usual = steps[int(USUAL_STEP * len(steps))]
    return sum(round(step / usual) - 1 for step in steps if step > 1.5 * usual)
