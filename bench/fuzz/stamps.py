"""Stamps of images and of /clock messages, of now and of other times, and their outcomes.

A stamp is drawn relative to a clock that is known only when the message is sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from builtin_interfaces.msg import Time

from bench.fuzz.expected_outcome import (
    BAD_STAMP,
    FUTURE,
    NO_CLOCK,
    OUT_OF_ORDER,
    PROCESSED,
    SOUND,
    ExpectedOutcome,
    broken,
    doubtful,
)

SECOND = 1_000_000_000
_MAX_SECONDS = 2**31 - 1
LATE_RUN = 10
"""Number of consecutive images that the node refuses for their order at most."""
_MARGIN = SECOND // 10
"""Nanoseconds that may pass between an image's stamp and the node's reading of its clock, and
more."""


@dataclass(frozen=True)
class Stamp:
    """A time relative to that of a clock (nanoseconds), or a fixed one."""

    after: int = 0
    fixed: tuple[int, int] | None = None

    def at(self, now: int) -> Time:
        """Return the stamp when the clock shows ``now`` nanoseconds."""
        if self.fixed is not None:
            return Time(sec=self.fixed[0], nanosec=self.fixed[1])
        nanoseconds = min(max(now + self.after, 0), _MAX_SECONDS * SECOND)
        return Time(sec=nanoseconds // SECOND, nanosec=nanoseconds % SECOND)


NOW = Stamp()

_IMAGES: dict[str, Stamp] = {
    "stamp zero": Stamp(fixed=(0, 0)),
    "last stamp there is": Stamp(fixed=(_MAX_SECONDS, SECOND - 1)),
    "negative stamp": Stamp(fixed=(-1, 0)),
    "most negative stamp": Stamp(fixed=(-(2**31), 0)),
    "a second of too many nanoseconds": Stamp(fixed=(1_000_000, 2**32 - 1)),
    "stamp of tomorrow": Stamp(86_400 * SECOND),
    "stamp two seconds ahead": Stamp(2 * SECOND),
    "stamp a little ahead": Stamp(SECOND // 5),
    "stamp a little late": Stamp(-SECOND // 10),
    "stamp of two seconds ago": Stamp(-2 * SECOND),
    "stamp of yesterday": Stamp(-86_400 * SECOND),
}

CLOCKS: dict[str, Stamp] = {
    "clock goes on": Stamp(SECOND // 30),
    "clock stands still": Stamp(0),
    "clock jumps ahead": Stamp(3600 * SECOND),
    "clock jumps back": Stamp(-10 * SECOND),
    "clock jumps back a little": Stamp(-SECOND // 10),
    "clock starts again": Stamp(fixed=(0, 0)),
    "clock starts again at a second": Stamp(fixed=(1, 0)),
    "clock at the end of time": Stamp(fixed=(_MAX_SECONDS, SECOND - 1)),
    "clock before time": Stamp(fixed=(-1, 0)),
    "clock with too many nanoseconds": Stamp(fixed=(1000, 2**32 - 1)),
}
"""Name -> stamp of the next /clock message."""


def damaged(rng: np.random.Generator) -> tuple[str, Stamp]:
    """Return a stamp of an image that is not of now, in words and as it is."""
    name = str(rng.choice(list(_IMAGES)))
    return name, _IMAGES[name]


def nanoseconds(stamp: Time) -> int:
    """Return the nanoseconds since the epoch of the stamp's clock."""
    return int(stamp.sec) * SECOND + int(stamp.nanosec)


@dataclass
class StampHistory:
    """The stamps of the images that the node has seen.

    The node refuses stamps more than a second ahead of its clock, and images that are up to half a
    second older than the newest, unless there are many in a row; one that is older still is the
    first of another stream.  Within `_MARGIN` of these limits both is right.
    """

    _last: set[int] = field(default_factory=set)
    """Stamps, one of which the node compares with: for an image that was refused for another reason
    it is not known if its stamp was looked at."""
    _is_certain: bool = False
    """True if that is the stamp of the last image that was processed."""
    _late: int = 0
    """Number of consecutive images that may have been refused for their order."""

    def expected(self, stamp: Time, clock: int) -> ExpectedOutcome:
        """Return the expected outcome for a stamp; clock: nanoseconds of the node's clock."""
        if stamp.sec < 0 or stamp.nanosec >= SECOND:
            return broken(BAD_STAMP)
        if clock == 0:
            return broken(NO_CLOCK)
        time = nanoseconds(stamp)
        ahead = time - clock
        expected = SOUND
        if ahead > SECOND - _MARGIN:
            expected &= broken(FUTURE) if ahead > SECOND + _MARGIN else doubtful(FUTURE)
        behind = [last - time for last in self._last if 0 < last - time < SECOND // 2 + _MARGIN]
        if behind:
            certain = (
                self._is_certain and self._late < LATE_RUN and max(behind) < SECOND // 2 - _MARGIN
            )
            expected &= broken(OUT_OF_ORDER) if certain else doubtful(OUT_OF_ORDER)
        return expected

    def add(self, stamp: Time, outcome: str) -> None:
        """Record an image with this stamp and this outcome."""
        time = nanoseconds(stamp)
        if outcome == OUT_OF_ORDER:
            self._late += 1
            return
        self._late = 0
        self._is_certain = outcome == PROCESSED
        if outcome == PROCESSED:
            self._last = {time}
        elif outcome not in (FUTURE, BAD_STAMP, NO_CLOCK):
            self._last.add(time)
