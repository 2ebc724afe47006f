"""The node and time: simulated clocks, recordings that loop, stamps that cannot be."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("hamer_ros.msg", reason="needs the built messages")

from builtin_interfaces.msg import Time
from node_harness import HANDS
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock

pytestmark = pytest.mark.usefixtures("models")


def at(seconds: float) -> Time:
    return Time(sec=int(seconds), nanosec=round(1e9 * (seconds % 1)))


class Recording:
    """Plays the clock and the images of a recording."""

    def __init__(self, harness) -> None:
        self.harness = harness
        harness.node.set_parameters([Parameter("use_sim_time", value=True)])
        self.clocks = harness.other.create_publisher(Clock, "/clock", 10)

    def show(self, seconds: float, answered: bool = True) -> bool:
        """Set the clock, show an image of that time, and say whether it was answered so."""
        harness = self.harness

        def is_set() -> bool:
            self.clocks.publish(Clock(clock=at(seconds)))
            return abs(harness.node.get_clock().now().nanoseconds - 1e9 * seconds) < 1e3

        assert harness.show(None, None, is_set)
        before = len(harness.hands())
        return harness.show(
            HANDS.rgb,
            harness.info(),
            lambda: any(a.header.stamp == at(seconds) for a in harness.hands()[before:]),
            stamp=at(seconds),
        )


def test_without_a_clock_simulated_time_has_not_begun(harness):
    harness.node.set_parameters([Parameter("use_sim_time", value=True)])
    harness.node.start()
    assert harness.show(HANDS.rgb, harness.info(), harness.diagnosed("dropped: no clock"))
    assert harness.hands() == []


def test_a_recording_that_loops_gives_new_hands_each_time(harness):
    recording = Recording(harness)
    harness.node.start()
    for _ in range(2):
        for seconds in (100.0, 100.4, 100.8):
            assert recording.show(seconds)
    ids = [{m.track_id for m in a.hands} for a in harness.hands() if len(a.hands) == 2]
    assert min(ids[-1]) > max(ids[0])


def test_an_image_from_the_end_of_the_loop_does_not_come_out_of_the_future(harness):
    recording = Recording(harness)
    harness.node.start()
    assert recording.show(100.0)
    refused = harness.diagnosed("dropped: stamp in the future")
    assert harness.show(HANDS.rgb, harness.info(), refused, stamp=at(160.0))
    assert not any(a.header.stamp == at(160.0) for a in harness.hands())
    assert recording.show(100.1)


def test_old_images_are_left_out_where_age_is_limited(harness):
    harness.node.set_parameters([Parameter("max_age", value=10.0)])
    harness.node.start()
    assert harness.show(
        HANDS.rgb, harness.info(), harness.diagnosed("dropped: too old"), stamp=at(1e9)
    )
    assert harness.hands() == []
    harness.node.set_parameters([Parameter("max_age", value=0.0)])
    assert harness.show(HANDS.rgb, harness.info(), lambda: bool(harness.hands()), stamp=at(1e9))
