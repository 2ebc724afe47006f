"""Conversion of ffmpeg_image_transport_msgs/FFMPEGPacket to raw image messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sensor_msgs.msg import Image
from std_msgs.msg import Header

from hamer_ros.errors import MissingFileError
from hamer_ros.ros.images.decode import ImageError, encode_rgb
from hamer_ros.ros.images.video_decoder import VideoDecoder
from hamer_ros.ros.monitoring.observations import Observations


def packet_type() -> type:
    """Return the message type of the packets, which a plain ROS installation does not have.

    Raises:
        MissingFileError: it is not installed.
    """
    try:
        from ffmpeg_image_transport_msgs.msg import FFMPEGPacket  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingFileError(
            "image_transport is ffmpeg, whose messages are not installed: sudo apt install "
            "ros-$ROS_DISTRO-ffmpeg-image-transport-msgs"
        ) from error
    return FFMPEGPacket


def check_video() -> None:
    """Check that everything that video needs is installed.

    Raises:
        MissingFileError: the messages or PyAV are not installed.
    """
    packet_type()
    VideoDecoder()


class PacketReader:
    """Decodes the packets of one topic, in order.

    topic: name for the observations.
    drop: called with a reason and a number of packets that give no image.

    Raises:
        MissingFileError: PyAV is not installed.
    """

    def __init__(
        self, topic: str, observations: Observations, drop: Callable[[str, int], None]
    ) -> None:
        self._topic = topic
        self._observations = observations
        self._drop = drop
        self._decoder: VideoDecoder[Header] = VideoDecoder()

    def skip(self) -> None:
        """Skip a packet; those that follow wait for a keyframe."""
        self._decoder = VideoDecoder()

    def read(self, packet: Any) -> list[Image]:
        """Return the images that are complete with a packet, each with its own packet's header."""
        try:
            found = self._decoder.decode(
                bytes(packet.data), packet.encoding, packet.header, packet.pts, packet.flags
            )
        except ImageError as error:
            self._drop("bad video", 1)
            self._observations.note("bad video", f"{self._topic}: {error}")
            return []
        if self._decoder.waiting:
            self._drop("waiting for a keyframe", 1)
            self._observations.note(
                "waiting for a keyframe",
                f"{self._topic}: packets come, but none that a video can begin with; shorten the "
                "encoder's distance of keyframes (gop_size)",
            )
        images = []
        for image in found:
            message = encode_rgb(image.rgb)
            message.header = image.tag
            images.append(message)
        return images
