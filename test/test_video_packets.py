"""Packets of ffmpeg_image_transport become images with the headers of their own."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("sensor_msgs", reason="needs ROS 2")
pytest.importorskip("av", reason="needs PyAV")

from std_msgs.msg import Header
from test_video import GOP, encoded, picture

from hamer_ros.errors import MissingFileError
from hamer_ros.ros.images.decode import decode_image
from hamer_ros.ros.images.video_packets import PacketReader, packet_type
from hamer_ros.ros.monitoring.observations import Observations


class World:
    def __init__(self) -> None:
        self.said: list[str] = []
        self.dropped: list[str] = []
        self.reader = PacketReader(
            "/image/ffmpeg", Observations(self), lambda reason, _: self.dropped.append(reason)
        )

    def warning(self, text: str) -> bool:
        self.said.append(text)
        return True

    def read(self, number: int, flags: int, data: bytes):
        header = Header(frame_id="camera")
        header.stamp.sec = number
        packet = SimpleNamespace(
            header=header, encoding="h264", pts=number, flags=flags, data=list(data)
        )
        return self.reader.read(packet)


@pytest.fixture
def world() -> World:
    return World()


def test_every_packet_gives_its_image_under_its_own_header(world):
    for number, flags, data in encoded("h264"):
        (image,) = world.read(number, flags, data)
        assert image.header.stamp.sec == number
        assert image.header.frame_id == "camera"
        error = np.abs(decode_image(image).astype(int) - picture(number)).mean()
        assert error < 6
    assert world.said == []


def test_a_stream_that_is_joined_in_its_middle_says_what_it_waits_for(world):
    packets = encoded("h264")
    assert world.read(*packets[1]) == []
    assert world.said[0].startswith("waiting for a keyframe: /image/ffmpeg")
    assert world.dropped == ["waiting for a keyframe"]


def test_what_is_no_video_is_said(world):
    assert world.read(0, 1, b"\x00\x00\x00\x01\x65rubbish") == []
    assert world.said[0].startswith("bad video: /image/ffmpeg: h264 packet")
    assert world.dropped == ["bad video"]


def test_after_a_packet_that_was_not_wanted_a_keyframe_must_come(world):
    packets = encoded("h264")
    assert len(world.read(*packets[0])) == 1
    world.reader.skip()
    assert world.read(*packets[2]) == []
    assert len(world.read(*packets[GOP])) == 1


def test_messages_that_are_not_installed_are_named_with_what_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, "ffmpeg_image_transport_msgs", None)
    with pytest.raises(
        MissingFileError, match=r"sudo apt install ros-.*-ffmpeg-image-transport-msgs"
    ):
        packet_type()
