"""Containers for an image and the messages that belong to it, and for late depth images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from hamer_ros.hands import ExternalBox

ImageMessage: TypeAlias = Image | CompressedImage
DepthMessage: TypeAlias = Image | CompressedImage


@dataclass(frozen=True)
class FrameMessages:
    """An image and the messages that belong to it.

    arrival: seconds of a monotonic clock.
    info: the CameraInfo of the image's stamp, else the last one that had come by then, if any.
    depth: the depth image within the tolerance.
    depth_offset: nanoseconds from the image to the nearest depth image, where none is near enough.
    boxes: those of the image's stamp; None where none came.
    """

    image: ImageMessage
    arrival: float
    info: CameraInfo | None = None
    depth: DepthMessage | None = None
    depth_offset: int | None = None
    boxes: tuple[ExternalBox, ...] | None = None


@dataclass(frozen=True)
class LateDepth:
    """A depth image that came ``delay`` seconds after the image of ``stamp`` (ns) had come."""

    stamp: int
    message: DepthMessage
    delay: float


class FrameSink(Protocol):
    """Receiver of the camera's messages; it is called on the executor's thread only."""

    def put(self, messages: FrameMessages) -> None:
        """Process an image with the messages that belong to it."""
        ...

    def put_late_depth(self, depth: LateDepth) -> None:
        """Process a depth image that came too late for its image."""
        ...

    def drop(self, reason: str, count: int = 1) -> None:
        """Count images that are left out."""
        ...
