"""Quality of service: what the node asks for, and how a user overrides it."""

from __future__ import annotations

import time

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("hamer_ros.msg", reason="needs the built messages")

import rclpy
from rclpy.context import Context
from rclpy.qos import ReliabilityPolicy

from hamer_ros.demo.processes import free_domain
from hamer_ros.ros.node import HamerNode

pytestmark = pytest.mark.usefixtures("models")

OVERRIDES = {
    "qos_overrides./image.subscription.reliability": "reliable",
    "qos_overrides./image.subscription.depth": "7",
    "qos_overrides./hamer/hands.publisher.reliability": "best_effort",
}


@pytest.fixture
def node_with(monkeypatch):
    """Make a configured node with parameters as from a command line."""
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    context = Context()
    nodes = []

    def make(**parameters: str) -> HamerNode:
        arguments = [f"{name}:={value}" for name, value in parameters.items()]
        pairs = [text for argument in arguments for text in ("-p", argument)]
        rclpy.init(context=context, domain_id=free_domain("0"), args=["--ros-args", *pairs])
        nodes.append(HamerNode(context=context))
        nodes[0].trigger_configure()
        return nodes[0]

    yield make
    nodes[0].destroy_node()
    rclpy.try_shutdown(context=context)


def profiles(node: HamerNode, info: str, topic: str, count: int = 1) -> list:
    """Of the endpoints of a topic, once there are so many: the graph comes after what was done."""
    deadline = time.monotonic() + 20
    while len(endpoints := getattr(node, info)(topic)) != count and time.monotonic() < deadline:
        time.sleep(0.02)
    return [endpoint.qos_profile for endpoint in endpoints]


def test_images_are_best_effort_and_hands_reliable(node_with):
    node = node_with()
    (image,) = profiles(node, "get_subscriptions_info_by_topic", "/image")
    assert image.reliability == ReliabilityPolicy.BEST_EFFORT
    (hands,) = profiles(node, "get_publishers_info_by_topic", "/hamer/hands")
    assert hands.reliability == ReliabilityPolicy.RELIABLE


def test_a_user_overrides_them_and_reconfiguring_keeps_that(node_with):
    node = node_with(**OVERRIDES)
    for _ in range(2):
        (image,) = profiles(node, "get_subscriptions_info_by_topic", "/image")
        assert image.reliability == ReliabilityPolicy.RELIABLE
        (info,) = profiles(node, "get_subscriptions_info_by_topic", "/camera_info")
        assert info.reliability == ReliabilityPolicy.BEST_EFFORT
        (hands,) = profiles(node, "get_publishers_info_by_topic", "/hamer/hands")
        assert hands.reliability == ReliabilityPolicy.BEST_EFFORT
        node.trigger_cleanup()
        assert profiles(node, "get_subscriptions_info_by_topic", "/image", 0) == []
        assert profiles(node, "get_publishers_info_by_topic", "/hamer/hands", 0) == []
        node.trigger_configure()


def test_an_override_that_is_none_fails_configure_and_leaves_nothing_behind(node_with):
    node = node_with(**{"qos_overrides./tf.publisher.reliability": "sometimes"})
    assert "sometimes" in node.failure
    for topic in ("/hamer/hands", "/hamer/markers"):
        assert profiles(node, "get_publishers_info_by_topic", topic, 0) == []
    assert len(node._managed_entities) == 0
