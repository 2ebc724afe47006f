"""What the arrivals on a topic tell: how many messages were lost, and whether two nodes send.

A publisher numbers its messages, and many middlewares hand the number over: a number left out is a
message lost, and numbers that run in two rows come from two publishers.  Where there are none, the
stamps tell of losses: an image is missing where the step is a multiple of the usual one.
"""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass

WINDOW = 5.0
"""Seconds that are looked at."""
FEW = 10
"""Messages that at least must be missing before anything is said, or steps between stamps known."""
FASTEST, BURST = 250.0, 15
"""Messages a second, and at once, that one publisher sends at most: a number that is farther ahead
comes from another one."""
SHARE = 0.2
"""Part of what was sent that is missing when something is said."""
ROW_ENDS_AFTER = 2.0
"""Seconds after which a row of numbers without a successor is over: that publisher has stopped."""
SHARE_BY_STAMPS = 0.5
"""The same where only stamps tell, which jitter."""
USUAL_STEP = 0.1
"""Quantile of the steps between stamps that counts as the usual step."""


@dataclass
class _Row:
    """The numbers of one publisher: the last one, when the row began, and when it went on."""

    last: int
    began: float
    time: float


@dataclass(frozen=True)
class _Arrival:
    time: float
    stamp: int
    lost_before: int | None


class Arrivals:
    """Takes note of the messages of one topic; times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._rows: list[_Row] = []
        self._recent: deque[_Arrival] = deque()
        self._last: float | None = None
        self.count = 0
        """Messages so far."""
        self.period: float | None = None
        """Seconds between the last two."""
        self.is_numbered = True
        """The middleware hands over the publishers' numbers."""

    def came(self, number: int | None, stamp: int, now: float) -> None:
        """A message has come.

        number: the publisher's own, None where the middleware does not tell.
        stamp: nanoseconds, of the header.
        """
        self.period = None if self._last is None else now - self._last
        self._last, self.count = now, self.count + 1
        self._rows = [row for row in self._rows if now - row.time <= ROW_ENDS_AFTER]
        self.is_numbered = number is not None
        lost = None if number is None else self._continue_row(number, now)
        self._recent.append(_Arrival(now, stamp, lost))
        while self._recent[0].time < now - WINDOW:
            self._recent.popleft()

    def pause(self) -> None:
        """Messages are not looked at for a while: what comes next continues nothing."""
        self._rows.clear()

    @property
    def is_mixed(self) -> bool:
        """Two publishers or more send at the same time: each went on after the other began."""
        went_on = sorted(row.time for row in self._rows if row.time > row.began)
        began = sorted(row.began for row in self._rows if row.time > row.began)
        return len(began) > 1 and went_on[-2] > began[-1]

    def lost(self, now: float) -> tuple[int, int] | None:
        """(lost, sent) of the last seconds, where a good part is lost; None where all is well."""
        recent = [arrival for arrival in self._recent if arrival.time >= now - WINDOW]
        numbers = [a.lost_before for a in recent if a.lost_before is not None]
        lost = sum(numbers) if numbers else _left_out([a.stamp for a in recent])
        sent = lost + len(recent)
        share = SHARE if numbers else SHARE_BY_STAMPS
        return (lost, sent) if lost >= max(FEW, share * sent) else None

    def _continue_row(self, number: int, now: float) -> int:
        """How many numbers were left out."""
        before = [row for row in self._rows if row.last < number <= row.last + _reach(row, now)]
        if not before:
            self._rows.append(_Row(number, now, now))
            return 0
        row = max(before, key=lambda row: row.last)
        lost = number - row.last - 1
        row.last, row.time = number, now
        return lost


def _reach(row: _Row, now: float) -> float:
    """How far the next number of a row can be ahead."""
    return BURST + FASTEST * (now - row.time)


def _left_out(stamps: list[int]) -> int:
    """How many stamps are missing in a row of them, judged by their usual step."""
    steps = sorted(b - a for a, b in itertools.pairwise(stamps) if b > a)
    if len(steps) < FEW:
        return 0
    usual = steps[int(USUAL_STEP * len(steps))]
    return sum(round(step / usual) - 1 for step in steps if step > 1.5 * usual)
