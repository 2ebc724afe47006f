"""Checks of the ``qos_overrides`` that a node was given, before its topics are created.

rclpy ignores names that belong to no topic, and fails on bad values when it creates the topic.
"""

from __future__ import annotations

from collections.abc import Collection

from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import HistoryPolicy, ReliabilityPolicy

PREFIX = "qos_overrides."

SUBSCRIBED = (
    "image",
    "image/compressed",
    "image/ffmpeg",
    "camera_info",
    "depth",
    "depth/compressedDepth",
    "boxes",
    "/clock",
)
PUBLISHED = ("~/hands", "~/hands_raw", "~/topology", "~/markers", "~/overlay", "/tf")
POLICIES: dict[str, Collection[str] | None] = {
    "history": HistoryPolicy.__members__,
    "depth": None,
    "reliability": ReliabilityPolicy.__members__,
}
"""Policies that can be overridden, and their values; None for a number."""


def names(node: Node) -> set[str]:
    """Return the full names, with remapped topics, of all overrides that have an effect."""
    topics = [(topic, "subscription") for topic in SUBSCRIBED]
    topics += [(topic, "publisher") for topic in PUBLISHED]
    return {
        f"{PREFIX}{node.resolve_topic_name(topic)}.{kind}.{policy}"
        for topic, kind in topics
        for policy in POLICIES
    }


def problem(parameter: Parameter) -> str | None:
    """Return why an override cannot have its value; None if it can."""
    allowed = POLICIES[parameter.name.rpartition(".")[2]]
    value = parameter.value
    if allowed is None:
        if type(value) is int and value >= 0:
            return None
        return f"{parameter.name} is '{value}'; it is a number of messages"
    if isinstance(value, str) and value.upper() in allowed and value.upper() != "UNKNOWN":
        return None
    known = ", ".join(name.lower() for name in allowed if name != "UNKNOWN")
    return f"{parameter.name} is '{value}'; known are: {known}"
