"""Messages that belong together come to the node as one, over real DDS, and no callback waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("hamer_ros.msg", reason="needs the built messages")

from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from sensor_msgs.msg import CameraInfo, CompressedImage, Image  # noqa: E402

from hamer_ros.demo.processes import free_domain  # noqa: E402
from hamer_ros.hands import Handedness  # noqa: E402
from hamer_ros.msg import HandBox, HandBoxes  # noqa: E402
from hamer_ros.ros.input.frame_messages import FrameMessages, LateDepth  # noqa: E402
from hamer_ros.ros.input.subscriptions import CameraSubscriptions  # noqa: E402
from hamer_ros.ros.input.topics import Topics  # noqa: E402
from hamer_ros.ros.monitoring.observations import Observations  # noqa: E402
from hamer_ros.ros.parameters.table import Parameters  # noqa: E402

MS = 1_000_000
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class World:
    """A node with the inputs, and publishers of all that they take."""

    def __init__(self, node, executor) -> None:
        self.node, self.executor = node, executor
        self.parameters = Parameters()
        self.wanted = True
        self.taken: list[FrameMessages] = []
        self.dropped: list[tuple[str, int]] = []
        self.late: list[LateDepth] = []
        self.said: list[str] = []
        self.publishers: dict[str, object] = {}

    def warning(self, text: str) -> bool:
        self.said.append(text)
        return True

    info = warning

    def open(self, **change) -> CameraSubscriptions:
        self.parameters = replace(self.parameters, **change)
        self.inputs = CameraSubscriptions(
            self.node, lambda: self.parameters, lambda: self.wanted, self, Observations(self)
        )
        return self.inputs

    def topics(self) -> Topics:
        return Topics.of(self.node, self.parameters)

    def put(self, messages: FrameMessages) -> None:
        self.taken.append(messages)

    def put_late_depth(self, depth: LateDepth) -> None:
        self.late.append(depth)

    def drop(self, reason: str, count: int = 1) -> None:
        self.dropped.append((reason, count))

    def publish(self, kind: type, topic: str, stamp: int, qos: QoSProfile | int = 10, **fields):
        """Publish a message with a stamp of nanoseconds."""
        if topic not in self.publishers:
            publisher = self.node.create_publisher(kind, topic, qos)
            self.publishers[topic] = publisher
            assert self.spin(lambda: publisher.get_subscription_count() > 0 or qos is LATCHED)
        message = kind(**fields)
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp, 10**9)
        self.publishers[topic].publish(message)

    def image(self, stamp: int) -> None:
        self.publish(Image, "image", stamp)

    def camera_info(self, stamp: int, focal: float) -> None:
        self.publish(CameraInfo, "camera_info", stamp, k=[focal, *[0.0] * 8])

    def spin(self, until: Callable[[], object], seconds: float = 5.0) -> bool:
        end = time.monotonic() + seconds
        while not until() and time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.02)
        return bool(until())


@pytest.fixture
def world() -> Iterator[World]:
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=free_domain("0"))
    node = rclpy.create_node("inputs_test", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    world = World(node, executor)
    yield world
    world.inputs.close()
    executor.shutdown()
    node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.mark.parametrize("info_first", [True, False])
def test_every_image_gets_the_camera_info_of_its_own_stamp(world, info_first):
    """A zoom camera: the neighbour's intrinsics would put the hand elsewhere."""
    world.open()
    for k in range(6):
        stamp = k * 33 * MS
        messages = [
            lambda s=stamp: world.image(s),
            lambda s=stamp, k=k: world.camera_info(s, k + 1.0),
        ]
        for send in reversed(messages) if info_first else messages:
            send()
        assert world.spin(lambda k=k: len(world.taken) == k + 1)
    assert [taken.info.k[0] for taken in world.taken] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_where_no_camera_info_has_the_stamp_the_last_one_serves(world):
    world.open()
    world.camera_info(5, 7.0)
    world.spin(lambda: False, 0.2)
    for k in range(3):
        world.image((k + 1) * 1000 * MS)
        assert world.spin(lambda k=k: len(world.taken) == k + 1)
    assert [taken.info.k[0] for taken in world.taken] == [7.0] * 3


def test_an_image_without_any_camera_info_goes_on_without(world):
    world.open()
    world.image(1)
    assert world.spin(lambda: world.taken)
    assert world.taken[0].info is None


def test_a_camera_info_that_was_published_once_before_is_had_where_it_is_offered(world):
    world.publish(CameraInfo, "camera_info", 1, LATCHED, k=[9.0, *[0.0] * 8])
    inputs = world.open()
    inputs.subscribe_latched()
    assert world.spin(lambda: inputs.last_info is not None)
    world.image(10**9)
    assert world.spin(lambda: world.taken)
    assert world.taken[0].info.k[0] == 9.0


def test_a_depth_image_that_comes_a_little_later_is_waited_for(world):
    world.open(use_depth=True, max_depth_wait=2.0)
    world.image(1000 * MS)
    world.camera_info(1000 * MS, 1.0)
    world.spin(lambda: False, 0.3)
    assert world.taken == []
    world.publish(Image, "depth", 1010 * MS, encoding="16UC1")
    assert world.spin(lambda: world.taken)
    assert world.taken[0].depth.encoding == "16UC1"


def test_a_depth_image_that_comes_too_late_is_handed_on_with_its_delay(world):
    world.open(use_depth=True, max_depth_wait=0.05)
    world.camera_info(1000 * MS, 1.0)
    world.image(1000 * MS)
    assert world.spin(lambda: world.taken)
    assert world.taken[0].depth is None
    world.publish(Image, "depth", 1000 * MS)
    assert world.spin(lambda: world.late)
    assert world.late[0].stamp == 1000 * MS
    assert world.late[0].delay >= 0.05


def test_the_offset_of_a_depth_image_of_another_moment_is_told(world):
    world.open(use_depth=True)
    world.camera_info(1000 * MS, 1.0)
    world.image(1000 * MS)
    world.publish(Image, "depth", 1045 * MS)
    assert world.spin(lambda: world.taken)
    assert world.taken[0].depth is None
    assert world.taken[0].depth_offset == 45 * MS
    world.parameters = replace(world.parameters, depth_tolerance=0.05)  # while it runs
    world.camera_info(1100 * MS, 1.0)
    world.image(1100 * MS)
    world.publish(Image, "depth", 1145 * MS)
    assert world.spin(lambda: len(world.taken) == 2)
    assert world.taken[1].depth is not None


@pytest.mark.parametrize(
    ("image", "depth", "topic"),
    [
        ("raw", "auto", "/depth"),
        ("compressed", "auto", "/depth/compressedDepth"),
        ("compressed", "raw", "/depth"),
        ("raw", "compressedDepth", "/depth/compressedDepth"),
    ],
)
def test_depth_is_compressed_where_images_are_unless_it_is_said(world, image, depth, topic):
    world.open(use_depth=True, image_transport=image, depth_transport=depth)
    assert world.topics().depth == topic


def test_compressed_depth_has_a_topic_of_its_own(world):
    world.open(use_depth=True, depth_transport="compressedDepth")
    assert world.topics().depth == "/depth/compressedDepth"
    world.publish(CompressedImage, "depth/compressedDepth", 1000 * MS, format="16UC1; png")
    world.camera_info(1000 * MS, 1.0)
    world.image(1000 * MS)
    assert world.spin(lambda: world.taken)
    assert world.taken[0].depth.format == "16UC1; png"


def boxes(*hands: tuple[list[float], int]) -> list[HandBox]:
    messages = []
    for box, handedness in hands:
        hand = HandBox(handedness=handedness, detection_score=0.75)
        hand.bounding_box = np.array(box, np.float32)
        messages.append(hand)
    return messages


def test_boxes_come_with_their_image(world):
    world.open(detector="external", max_box_wait=5.0)
    world.camera_info(7, 1.0)
    world.image(7)
    world.spin(lambda: False, 0.2)
    assert world.taken == []
    hands = boxes(([1, 2, 30, 40], 1), ([100, 100, 150, 160], 0))
    world.publish(HandBoxes, "boxes", 7, hands=hands)
    assert world.spin(lambda: world.taken)
    left, unknown = world.taken[0].boxes
    assert left.bounding_box.tolist() == [1, 2, 30, 40]
    assert (left.handedness, left.score, unknown.handedness) == (Handedness.LEFT, 0.75, None)


def test_no_hands_is_something_else_than_no_boxes(world):
    world.open(detector="external", max_box_wait=0.2)
    for stamp in (1, 10**9):
        world.camera_info(stamp, 1.0)
        world.image(stamp)
        if stamp == 1:
            world.publish(HandBoxes, "boxes", stamp)
        assert world.spin(lambda stamp=stamp: world.taken and stamp == stamps(world)[-1])
    assert [taken.boxes for taken in world.taken] == [(), None]


def stamps(world: World) -> list[int]:
    return [
        taken.image.header.stamp.sec * 10**9 + taken.image.header.stamp.nanosec
        for taken in world.taken
    ]


def test_images_that_nobody_searched_are_dropped_when_a_later_one_was(world):
    world.open(detector="external", max_box_wait=5.0)
    for stamp in (1, 2, 3):
        world.camera_info(stamp * 10**9, 1.0)
        world.image(stamp * 10**9)
    world.publish(HandBoxes, "boxes", 3 * 10**9)
    assert world.spin(lambda: world.taken)
    assert stamps(world) == [3 * 10**9]
    assert {reason for reason, _ in world.dropped} == {"no boxes"}
    assert sum(count for _, count in world.dropped) == 2


@pytest.mark.parametrize(
    ("box", "handedness", "words"),
    [([5, 5, 1, 1], 1, "is no box"), ([1, 1, 5, 5], 9, "handedness is 9")],
)
def test_bad_boxes_are_said_and_left_out(world, box, handedness, words):
    world.open(detector="external", max_box_wait=0.2)
    world.camera_info(1, 1.0)
    world.image(1)
    world.publish(HandBoxes, "boxes", 1, hands=boxes((box, handedness)))
    assert world.spin(lambda: world.taken)
    assert world.taken[0].boxes is None
    assert words in world.said[0]
    assert "/boxes" in world.said[0]


def test_an_image_that_nobody_wants_is_let_go_at_once(world):
    world.open()
    world.wanted = False
    world.image(1)
    world.spin(lambda: False, 0.3)
    assert world.taken == []
    assert world.inputs.arrivals.count == 0


def test_what_waits_is_counted_when_a_new_stream_begins(world):
    inputs = world.open(detector="external", max_box_wait=5.0)
    world.camera_info(1, 1.0)
    world.image(1)
    world.spin(lambda: False, 0.2)
    inputs.clear()
    assert world.dropped == [("not wanted any more", 1)]
    world.publish(HandBoxes, "boxes", 1)
    world.spin(lambda: False, 0.2)
    assert world.taken == []
