"""Which stamps an image may have.

A stamp that is wrong does harm further on: a transform from the future makes tf2 refuse all true
ones until it is reached, and an old hand lets a robot act on what is no longer so.
"""

from __future__ import annotations

from builtin_interfaces.msg import Time

from hamer_ros.ros.rejection import FrameRejectedError

MAX_AHEAD = 1.0
"""Seconds by which a stamp may be ahead of the node's clock: clocks of two machines differ."""

REORDERED = 0.5
"""Seconds by which an image may be older than the one before and still be of the same stream."""

_SECOND = 1_000_000_000


class StampGate:
    """Looks at the stamps of the images of one topic, in the order in which they come.

    topic: of the images, for the messages.
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._last: int | None = None
        self._turned_back = False

    def admit(self, stamp: Time, now: int, max_age: float) -> bool:
        """Let an image pass, or say why not; tells whether it is the first of another stream.

        now: nanoseconds of the node's clock; 0 while simulated time has not begun.
        max_age: seconds; 0 takes any.

        An image that is a little older than the one before came out of order and is of no use any
        more.  Where it is much older, or the next one is old as well, the time itself has gone
        back, as when a recording starts again, and another stream begins.

        Raises:
            FrameRejectedError: the image must not be used.
        """
        nanoseconds = stamp.sec * _SECOND + stamp.nanosec
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
        age = (now - nanoseconds) / _SECOND
        if age < -MAX_AHEAD:
            raise FrameRejectedError(
                "stamp in the future",
                f"{self._topic}: the stamp is {-age:.1f} s ahead of the node's clock; synchronise "
                "the clocks of the machines, or set use_sim_time for a recording with --clock",
            )
        if 0 < max_age < age:
            raise FrameRejectedError(
                "too old",
                f"{self._topic}: the stamp is {age:.1f} s old, max_age is {max_age:g} s; the "
                "network or the driver is slow, its clock differs, or this is a recording",
            )
        behind = 0 if self._last is None else self._last - nanoseconds
        if 0 < behind < REORDERED * _SECOND and not self._turned_back:
            self._turned_back = True
            raise FrameRejectedError(
                "out of order",
                f"{self._topic}: the stamp is {1e-6 * behind:.1f} ms before that of the image that "
                "came earlier; is there more than one publisher?",
            )
        self._turned_back = False
        self._last = nanoseconds
        return behind > 0
