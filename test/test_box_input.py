"""Boxes come from a topic, images wait for them, and nobody waits with the images."""

from __future__ import annotations

import time

import numpy as np
import pytest
from helpers import CAMERA

from hamer_ros.demo.processes import free_domain
from hamer_ros.detection.given import GivenDetector
from hamer_ros.hands import Frame, Side

rclpy = pytest.importorskip("rclpy")
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402

from hamer_ros.msg import HandBox, HandBoxes  # noqa: E402
from hamer_ros.ros.box_input import BoxInput  # noqa: E402

MAX_WAIT = 0.4


class World:
    """A node with a box input, and a publisher of boxes."""

    def __init__(self, node, executor):
        self.executor = executor
        self.detector = GivenDetector()
        self.passed, self.overtaken = [], []
        self.publisher = node.create_publisher(HandBoxes, "boxes", 10)
        self.input = BoxInput(
            node, lambda: self.detector, MAX_WAIT, self.passed.append, self.overtaken.append
        )

    def image(self, stamp):
        image = Image()
        image.header.stamp.sec = stamp
        return image

    def publish(self, stamp, *hands):
        message = HandBoxes()
        message.header.stamp.sec = stamp
        for box, side in hands:
            hand = HandBox(handedness=side, detection_score=0.75)
            hand.bounding_box = np.array(box, np.float32)
            message.hands.append(hand)
        self.publisher.publish(message)

    def spin(self, until, seconds=5.0):
        end = time.monotonic() + seconds
        while not until() and time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.02)
        return until()

    def stamps(self):
        return [image.header.stamp.sec for image in self.passed]


@pytest.fixture
def ros():
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=free_domain("0"))
    node = rclpy.create_node("box_input_test", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    world = World(node, executor)
    assert world.spin(lambda: world.publisher.get_subscription_count() > 0)
    yield world
    world.input.close()
    executor.shutdown()
    node.destroy_node()
    rclpy.shutdown(context=context)


def frame(stamp):
    return Frame(np.zeros((480, 640, 3), np.uint8), float(stamp), CAMERA)


def test_boxes_reach_the_detector_and_their_image_goes_on(ros):
    begin = time.monotonic()
    ros.input.hold(ros.image(7))
    assert time.monotonic() - begin < 0.1
    assert ros.passed == []
    ros.publish(7, ([1, 2, 30, 40], 1), ([100, 100, 150, 160], 2))
    assert ros.spin(lambda: ros.passed)
    assert time.monotonic() - begin < MAX_WAIT
    left, right = sorted(ros.detector.detect(frame(7)), key=lambda d: d.box[0])
    assert left.box.tolist() == [1, 2, 30, 40]
    assert (left.side, right.side) == (Side.LEFT, Side.RIGHT)
    assert left.score == 0.75
    assert ros.stamps() == [7]


def test_an_image_without_boxes_goes_on_in_time(ros):
    begin = time.monotonic()
    ros.input.hold(ros.image(1))
    ros.spin(lambda: False, 0.1)
    ros.input.hold(ros.image(2))
    assert ros.spin(lambda: ros.stamps() == [1])
    assert MAX_WAIT <= time.monotonic() - begin < MAX_WAIT + 0.08
    assert ros.spin(lambda: ros.stamps() == [1, 2])
    assert MAX_WAIT + 0.1 <= time.monotonic() - begin < 2 * MAX_WAIT
    assert ros.overtaken == []
    ros.spin(lambda: False, 0.1)
    assert ros.input._timer.is_canceled()


def test_images_that_nobody_searched_are_overtaken(ros):
    for stamp in (1, 2, 3):
        ros.input.hold(ros.image(stamp))
    ros.publish(3)
    assert ros.spin(lambda: ros.passed)
    assert ros.stamps() == [3]
    assert ros.overtaken == [2]


@pytest.mark.parametrize(("box", "side"), [([5, 5, 1, 1], 1), ([1, 1, 5, 5], 9)])
def test_a_bad_message_is_ignored(ros, box, side):
    ros.input.hold(ros.image(1))
    ros.publish(1, (box, side))
    assert ros.spin(lambda: ros.passed)
    assert ros.detector.detect(frame(1)) == []
    assert ros.detector.frames_without_boxes == 1


def test_boxes_reach_the_detector_in_use(ros):
    """Models that fail are loaded again, and the detector with them."""
    before, ros.detector = ros.detector, None
    ros.input.hold(ros.image(7))
    ros.publish(7, ([1, 2, 30, 40], 1))
    assert ros.spin(lambda: ros.passed)
    ros.detector = GivenDetector()
    ros.input.hold(ros.image(8))
    ros.publish(8, ([1, 2, 30, 40], 1))
    assert ros.spin(lambda: len(ros.passed) == 2)
    assert len(ros.detector.detect(frame(8))) == 1
    assert before.detect(frame(8)) == []
