"""Supervision of the image topic: why nothing comes, what is lost, and who publishes."""

from __future__ import annotations

from typing import Any

import rclpy
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSCompatibility, qos_check_compatible
from rclpy.topic_endpoint_info import TopicEndpointInfo

from hamer_ros.hands import Remark
from hamer_ros.ros.input.subscriptions import CameraSubscriptions
from hamer_ros.ros.input.topics import CAMERA_INFO
from hamer_ros.ros.monitoring.shared_memory import shared_memory
from hamer_ros.ros.monitoring.silence import (
    PROFILE_REMEDY,
    Publisher,
    Silence,
    may_be_too_large,
    why_silent,
)

BYTES_A_PIXEL = 3
"""Bytes per pixel of a colour image, as most cameras send it."""


class CameraWatch:
    """Queries the ROS graph about the image topic, at most once a second: a query takes a while."""

    def __init__(self, node: Node, camera: CameraSubscriptions) -> None:
        self._node = node
        self._camera = camera

    def why_silent(self, silence: float) -> str:
        """Return the probable cause of no image for so many seconds."""
        return why_silent(self._silence(silence))

    def look_for_latched_info(self) -> None:
        """Subscribe to a CameraInfo that is published once and kept for late subscribers."""
        publishers = self._node.get_publishers_info_by_topic(
            self._node.resolve_topic_name(CAMERA_INFO)
        )
        if any(p.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL for p in publishers):
            self._camera.subscribe_latched()

    def remarks(self, now: float) -> list[Remark]:
        """Return remarks on images that come but are lost or mixed; now: monotonic seconds."""
        arrivals = self._camera.arrivals
        remarks = []
        if (lost := arrivals.lost(now)) is not None:
            remarks.append(Remark("images lost", self._why_lost(*lost)))
        if arrivals.is_mixed or not arrivals.is_numbered:
            nodes = sorted({_name(publisher) for publisher in self._publishers()})
            if arrivals.is_mixed or len(nodes) > 1:
                remarks.append(self._mixed(nodes, arrivals.is_mixed))
        return remarks

    def _mixed(self, nodes: list[str], is_certain: bool) -> Remark:
        send = "send images" if is_certain else "can send images"
        return Remark(
            "two publishers",
            f"{' and '.join(nodes)} {send} on '{self._camera.image_topic}' at the same time, and "
            "hands jump between their views then; give each camera a topic and a node of its own",
        )

    def _why_lost(self, lost: int, sent: int) -> str:
        share = f"{lost} of {sent} images that were sent have not arrived"
        overload = (
            "the network, or this machine's processor, does not keep up: lower rate or resolution, "
            "or use image_transport:=compressed"
        )
        if may_be_too_large(self._silence(0.0)):
            return f"{share}; {PROFILE_REMEDY}; or {overload}"
        return f"{share}; {overload}"

    def _silence(self, silence: float) -> Silence:
        images = self._camera.images
        asked = self._node.get_subscriptions_info_by_topic(self._camera.image_topic)
        own = [s.qos_profile for s in asked if s.node_name == self._node.get_name()]
        publishers = []
        for publisher in self._publishers():
            checks = (qos_check_compatible(publisher.qos_profile, profile) for profile in own)
            bad = (why.strip() for fits, why in checks if fits == QoSCompatibility.ERROR)
            publishers.append(Publisher(_name(publisher), publisher.topic_type, next(bad, "")))
        arrivals = self._camera.arrivals
        kind: Any = images.msg_type
        info = self._camera.last_info
        pixels = 0 if info is None else info.width * info.height
        return Silence(
            topic=self._camera.image_topic,
            kind=f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}",
            publishers=publishers,
            received=arrivals.count,
            silence=silence,
            period=arrivals.period,
            middleware=rclpy.get_rmw_implementation_identifier(),
            image_bytes=BYTES_A_PIXEL * pixels or None,
            shared_memory=shared_memory(),
        )

    def _publishers(self) -> list[TopicEndpointInfo]:
        return self._node.get_publishers_info_by_topic(self._camera.image_topic)


def _name(endpoint: TopicEndpointInfo) -> str:
    return f"{endpoint.node_namespace.rstrip('/')}/{endpoint.node_name}"
