"""What is published of a frame, and in which order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("hamer_ros.msg", reason="needs the built messages")

import rclpy
from helpers import CAMERA, MODEL, placed_at
from rclpy.context import Context
from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from std_msgs.msg import Header

from hamer_ros.demo.processes import free_domain
from hamer_ros.hands import Frame, IntrinsicsSource, TrackedHand, TrackState
from hamer_ros.ros.input.frame_reader import ReadFrame
from hamer_ros.ros.output.publishers import HandPublishers
from hamer_ros.ros.parameters.table import Parameters


@pytest.fixture
def published(monkeypatch) -> list[str]:
    """Topics in the order in which something is published on them."""
    topics: list[str] = []
    monkeypatch.setattr(
        LifecyclePublisher, "publish", lambda self, message: topics.append(self.topic_name)
    )
    return topics


@pytest.fixture
def outputs() -> Iterator[HandPublishers]:
    context = Context()
    rclpy.init(context=context, domain_id=free_domain("0"))
    node = LifecycleNode("hamer", context=context)
    outputs = HandPublishers(node, MODEL, "landmarks", "")
    yield outputs
    outputs.close()
    node.destroy_node()
    rclpy.try_shutdown(context=context)


def publish(outputs: HandPublishers, *hands: TrackedHand) -> None:
    frame = Frame(np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8), 0.0, CAMERA)
    read = ReadFrame(frame, Header(), IntrinsicsSource.CAMERA_INFO, is_mirrored=False)
    outputs.publish(hands, read, 0.0, Parameters())


def test_the_transform_is_under_way_before_the_hand_that_leads_to_it(outputs, published):
    placed = placed_at()
    publish(outputs, TrackedHand(placed, 1, TrackState.TRACKED, placed))
    assert published == ["/tf", "/hamer/hands"]


def test_a_hand_that_is_predicted_has_no_transform(outputs, published):
    publish(outputs, TrackedHand(placed_at(), 1, TrackState.COASTED, None))
    assert published == ["/hamer/hands"]
