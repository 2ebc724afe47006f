"""Boxes of hands from a topic, and the images that wait for them.

The topic is ``boxes``, of our own type `HandBoxes`: vision_msgs has one that would do, but it is
not part of a ROS that was just installed, and it has no field for the side of a hand.

Images and boxes both come to the executor's thread, and neither callback waits: an image whose
boxes have not come is kept, and goes on when they do or when a timer says that its time is up.
Boxes that come later than that are of no use any more.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from builtin_interfaces.msg import Time
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos_overriding_options import QoSOverridingOptions

from hamer_ros.detection.given import TOLERANCE, GivenDetector
from hamer_ros.hands import Side
from hamer_ros.msg import HandBox, HandBoxes
from hamer_ros.ros.camera_input import ImageMessage
from hamer_ros.ros.qos import best_effort
from hamer_ros.ros.waiting import Released, Waiting

DEPTH = 10
"""Boxes are small, and those of several images may come at once."""

COMPLAIN_EVERY = 5.0
"""Seconds between two warnings about bad boxes."""

_SIDES: dict[int, Side | None] = {
    HandBox.UNKNOWN: None,
    HandBox.LEFT: Side.LEFT,
    HandBox.RIGHT: Side.RIGHT,
}


class BoxInput:
    """Receives boxes, gives them to the detector and lets their images go on.

    detector: the one in use; None while models are loaded again, for nobody looks at images then.
    max_wait: seconds that an image waits for its boxes.  Make it longer than the other side takes
        for an image; where it does not look at every image, longer than from one to the next too.
    on_image: is given every image that is to be processed, on the executor's thread.
    on_overtaken: is told how many images are given up because a later one has its boxes.
    """

    def __init__(
        self,
        node: Node,
        detector: Callable[[], GivenDetector | None],
        max_wait: float,
        on_image: Callable[[ImageMessage], None],
        on_overtaken: Callable[[int], None],
    ) -> None:
        self._node = node
        self._detector = detector
        self._on_image = on_image
        self._on_overtaken = on_overtaken
        self._waiting: Waiting[ImageMessage] = Waiting(max_wait, TOLERANCE)
        self._boxes = node.create_subscription(
            HandBoxes,
            "boxes",
            self._take,
            best_effort(DEPTH),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        # Of a steady clock: an image's patience ends even while simulated time stands still.
        self._timer = node.create_timer(
            max_wait, self._time_is_up, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )
        self._timer.cancel()

    @property
    def topic(self) -> str:
        """The topic of the boxes after remapping."""
        return self._boxes.topic_name

    def close(self) -> None:
        """Unsubscribe and forget the images that wait."""
        self._node.destroy_subscription(self._boxes)
        self._node.destroy_timer(self._timer)

    def hold(self, image: ImageMessage) -> None:
        """Take every image that comes; executor's thread."""
        self._pass_on(self._waiting.hold(image, _seconds(image.header.stamp), time.monotonic()))

    def _take(self, message: HandBoxes) -> None:
        stamp = _seconds(message.header.stamp)
        if (detector := self._detector()) is None:
            return
        try:
            detector.give(
                np.array([hand.bounding_box for hand in message.hands]),
                [_side(hand) for hand in message.hands],
                [hand.detection_score for hand in message.hands],
                stamp,
            )
        except ValueError as error:
            self._node.get_logger().warning(
                f"{self.topic}: a message was ignored: {error}",
                throttle_duration_sec=COMPLAIN_EVERY,
            )
            return
        self._pass_on(self._waiting.arrived(stamp))

    def _time_is_up(self) -> None:
        self._pass_on(self._waiting.overdue(time.monotonic()))

    def _pass_on(self, released: Released[ImageMessage]) -> None:
        if released.overtaken:
            self._on_overtaken(released.overtaken)
        if released.item is not None:
            self._on_image(released.item)
        deadline = self._waiting.deadline()
        if deadline is None:
            self._timer.cancel()
            return
        # A millisecond at least: a period of 0 would keep the executor busy.
        self._timer.timer_period_ns = int(1e9 * max(deadline - time.monotonic(), 1e-3))
        self._timer.reset()


def _side(hand: HandBox) -> Side | None:
    if hand.handedness not in _SIDES:
        raise ValueError(f"handedness is {hand.handedness}, none of {sorted(_SIDES)}")
    return _SIDES[hand.handedness]


def _seconds(stamp: Time) -> float:
    """As the node counts the stamps of frames."""
    return stamp.sec + 1e-9 * stamp.nanosec
