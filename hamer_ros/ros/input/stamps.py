"""Checks of the stamps of images, with remarks on odd ones that are accepted.

A wrong stamp does harm further on: a transform from the future makes tf2 refuse all true ones until
that time is reached, and an old hand lets a robot act on what is no longer so.
"""

from __future__ import annotations

from dataclasses import dataclass

from builtin_interfaces.msg import Time

from hamer_ros.hands import Remark
from hamer_ros.pipeline import LATE
from hamer_ros.ros.input.frame_rejection import FrameRejectedError

MAX_AHEAD = 1.0
"""Seconds by which a stamp may be ahead of the node's clock: clocks of two machines differ."""

NOTABLE_AHEAD = 0.05
"""Seconds by which a stamp is ahead before there is a remark."""

LATE_RUN = 10
"""Consecutive late images after which time has gone back: no jitter lasts so long."""

OLD = 5.0
"""Seconds after which a stamp is so old that it says nothing about latency."""

LONGEST_UPTIME = 10 * 365 * 86400.0
"""Seconds below which a stamp is taken for the time since a machine was started."""

_SECOND = 1_000_000_000
_UNITS = (("year", 365.25 * 86400), ("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


def nanoseconds(stamp: Time) -> int:
    """Return the whole stamp in nanoseconds."""
    return stamp.sec * _SECOND + stamp.nanosec


def in_seconds(stamp: int) -> float:
    """Return nanoseconds as seconds for the pipeline; equal stamps give equal numbers."""
    return stamp // _SECOND + 1e-9 * (stamp % _SECOND)


def duration(seconds: float) -> str:
    """Return a duration in words, in the largest unit of which it has two: "3 minutes"."""
    for name, length in _UNITS[:-1]:
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {name}s"
    return f"{seconds:.1f} seconds"


@dataclass(frozen=True)
class Admission:
    """The result for an accepted image.

    is_other_stream: it is the first of another recording.
    age: seconds by the node's clock; None where the stamp is too old to be meant.
    remarks: what is odd.
    """

    is_other_stream: bool
    age: float | None
    remarks: tuple[Remark, ...] = ()


class StampGate:
    """Checks the stamps of the images of one topic, in the order in which they come.

    topic: name for the texts.
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._newest: int | None = None
        self._late = 0

    def admit(self, stamp: Time, now: int, max_age: float) -> Admission:
        """Accept an image, or raise the reason against it.

        stamp: that of the image.
        now: nanoseconds of the node's clock; 0 while simulated time has not begun.
        max_age: seconds; 0 accepts any age.

        An image that is a little older than the newest came out of order and is useless by now; a
        few of them may follow one another, because drivers' stamps jitter.  Where it is much older,
        or there are many, time itself has gone back, as when a recording starts again, and another
        stream begins.

        Raises:
            FrameRejectedError: the image must not be used.
        """
        if stamp.sec < 0 or stamp.nanosec >= _SECOND:
            raise FrameRejectedError(
                "bad stamp",
                f"{self._topic}: the stamp is {stamp.sec} s and {stamp.nanosec} ns; seconds are "
                "not negative and nanoseconds less than 1000000000",
            )
        if now == 0:
            raise FrameRejectedError(
                "no clock",
                f"{self._topic}: use_sim_time is set, but nothing has come on /clock yet; play the "
                "recording with --clock, or set use_sim_time to false",
            )
        taken = nanoseconds(stamp)
        age = (now - taken) / _SECOND
        if age < -MAX_AHEAD:
            raise FrameRejectedError(
                "stamp in the future",
                f"{self._topic}: the stamp is {duration(-age)} ahead of the node's clock; "
                "synchronise the clocks of the machines, or set use_sim_time for a recording with "
                "--clock",
            )
        if 0 < max_age < age:
            raise FrameRejectedError(
                "too old",
                f"{self._topic}: the stamp is {duration(age)} old, max_age is {max_age:g} s; the "
                "network or the driver is slow, its clock differs, or this is a recording",
            )
        behind = 0 if self._newest is None else self._newest - taken
        if 0 < behind < LATE * _SECOND and self._late < LATE_RUN:
            self._late += 1
            raise FrameRejectedError(
                "out of order",
                f"{self._topic}: the stamp is {1e-6 * behind:.1f} ms before that of an image that "
                "came earlier; the driver's stamps jitter, or there is more than one publisher",
            )
        self._newest, self._late = taken, 0
        remarks = self._remarks(taken, age)
        if behind > 0:
            remarks += (
                Remark(
                    "stamps go back",
                    f"{self._topic}: the stamp is {duration(behind / _SECOND)} before that of an "
                    "image that came earlier; another recording begins, and all hands are new; a "
                    "driver whose stamps do so again and again is broken",
                ),
            )
        return Admission(behind > 0, age if age < OLD else None, remarks)

    def _remarks(self, taken: int, age: float) -> tuple[Remark, ...]:
        if age >= OLD:
            return (Remark("old stamps", f"{self._topic}: {_why_old(taken / _SECOND, age)}"),)
        if age < -NOTABLE_AHEAD:
            return (
                Remark(
                    "stamps ahead",
                    f"{self._topic}: the stamp is {-1e3 * age:.0f} ms ahead of the node's clock; "
                    "synchronise the clocks of the machines",
                ),
            )
        return ()


def _why_old(taken: float, age: float) -> str:
    """Return the probable cause of an old stamp, in seconds, and its consequence."""
    follows = "hands and transforms carry it, and tf2 cannot join them with what is stamped now"
    if taken == 0:
        return f"the stamp is 0, so the driver does not stamp its images; {follows}"
    if taken < LONGEST_UPTIME < age:
        return (
            f"the stamp is {duration(taken)} after zero and so {duration(age)} old; the driver "
            f"counts from when the machine was started instead of from 1970; {follows}"
        )
    return (
        f"the stamp is {duration(age)} old; the driver's clock is behind or its images are late, "
        f"or this is a recording played without --clock and use_sim_time; {follows}"
    )
