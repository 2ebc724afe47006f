"""Looks after the image topic: why nothing comes, what is lost on the way, and who sends."""

from __future__ import annotations

from typing import Any

import rclpy
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSCompatibility, qos_check_compatible
from rclpy.topic_endpoint_info import TopicEndpointInfo

from hamer_ros.hands import Remark
from hamer_ros.ros.inputs import Inputs
from hamer_ros.ros.shared_memory import shared_memory
from hamer_ros.ros.silence import PROFILE_REMEDY, Publisher, Silence, may_be_too_large, why_silent

BYTES_A_PIXEL = 3
"""Of a colour image, as most cameras send it."""


class CameraWatch:
    """Asks the graph; a question takes a while, so it is asked once a second at most."""

    def __init__(self, node: Node, inputs: Inputs) -> None:
        self._node = node
        self._inputs = inputs

    def why_silent(self, silence: float) -> str:
        """What can be said about an image topic on which nothing has come for so many seconds."""
        return why_silent(self._silence(silence))

    def look_for_latched_info(self) -> None:
        """Have a CameraInfo that is published once and kept for who comes later."""
        publishers = self._node.get_publishers_info_by_topic(self._inputs.info_topic)
        if any(p.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL for p in publishers):
            self._inputs.subscribe_latched()

    def remarks(self, now: float) -> list[Remark]:
        """(subject, text) of what is wrong with images that do come; now: monotonic seconds."""
        arrivals = self._inputs.arrivals
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
            f"{' and '.join(nodes)} {send} on '{self._inputs.image_topic}' at the same time, and "
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
        images = self._inputs.images
        asked = self._node.get_subscriptions_info_by_topic(self._inputs.image_topic)
        own = [s.qos_profile for s in asked if s.node_name == self._node.get_name()]
        publishers = []
        for publisher in self._publishers():
            checks = (qos_check_compatible(publisher.qos_profile, profile) for profile in own)
            bad = (why.strip() for fits, why in checks if fits == QoSCompatibility.ERROR)
            publishers.append(Publisher(_name(publisher), publisher.topic_type, next(bad, "")))
        arrivals = self._inputs.arrivals
        kind: Any = images.msg_type
        info = self._inputs.last_info
        pixels = 0 if info is None else info.width * info.height
        return Silence(
            topic=self._inputs.image_topic,
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
        return self._node.get_publishers_info_by_topic(self._inputs.image_topic)


def _name(endpoint: TopicEndpointInfo) -> str:
    return f"{endpoint.node_namespace.rstrip('/')}/{endpoint.node_name}"
