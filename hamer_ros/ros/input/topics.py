"""The names of the camera's topics, by transport and after remapping."""

from __future__ import annotations

from dataclasses import dataclass

from rclpy.node import Node

from hamer_ros.ros.images.transports import depth_transport
from hamer_ros.ros.parameters.table import Parameters

CAMERA_INFO, BOXES = "camera_info", "boxes"


def image_name(parameters: Parameters) -> str:
    """Return the name of the image topic before remapping."""
    transport = parameters.image_transport
    return "image" if transport == "raw" else f"image/{transport}"


def depth_name(parameters: Parameters) -> str:
    """Return the name of the depth topic before remapping."""
    transport = depth_transport(parameters.depth_transport, parameters.image_transport)
    return "depth" if transport == "raw" else f"depth/{transport}"


@dataclass(frozen=True)
class Topics:
    """Topic names after remapping, for texts; depth is empty where it is not subscribed to."""

    image: str
    camera_info: str
    depth: str = ""

    @classmethod
    def of(cls, node: Node, parameters: Parameters) -> Topics:
        """Return the names that a node with these parameters subscribes to."""
        name = node.resolve_topic_name
        depth = name(depth_name(parameters)) if parameters.use_depth else ""
        return cls(name(image_name(parameters)), name(CAMERA_INFO), depth)
