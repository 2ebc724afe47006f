"""The camera process of the demo: plays frames with their CameraInfo, as a camera driver does.

It waits until the node is active and subscribed, plays from `Event.PLAY` on, and then repeats its
last frame, unrecorded, until `Event.STOP`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image

from hamer_ros.camera.model import CameraError, CameraModel
from hamer_ros.demo.intrinsics import CameraOfSize, parse_camera
from hamer_ros.demo.process_events import Event, ProcessEvents
from hamer_ros.demo.records import SentFrame, sent_line
from hamer_ros.demo.sources import SourceError, open_source
from hamer_ros.msg import HandTopology
from hamer_ros.ros.images.decode import encode_rgb

FRAME_ID = "camera_optical_frame"

_SENSOR = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
_REPEAT_PERIOD = 0.1
_MIN_FREE_BYTES = 50_000_000
"""Bytes of the disk that a recording leaves free."""


def camera_info(camera: CameraModel) -> CameraInfo:
    """Return the intrinsics as drivers publish them, without a header."""
    k = camera.matrix
    info = CameraInfo(width=camera.width, height=camera.height)
    info.distortion_model = "plumb_bob" if camera.lens == "none" else camera.lens
    info.d = list(camera.distortion)
    info.k = k.reshape(-1)
    info.r = np.eye(3).reshape(-1)
    info.p = np.hstack([k, np.zeros((3, 1))]).reshape(-1)
    return info


class CameraNode(Node):
    """Publishes images and their CameraInfo on ``image_raw`` and ``camera_info``."""

    def __init__(self, name: str, camera_of_size: CameraOfSize, **options: Any) -> None:
        super().__init__(name, **options)
        self._camera_of_size = camera_of_size
        self._images = self.create_publisher(Image, "image_raw", _SENSOR)
        self._infos = self.create_publisher(CameraInfo, "camera_info", _SENSOR)

    def prepare(self, rgb: np.ndarray) -> tuple[CameraInfo, Image]:
        """Return the messages of one frame, without a stamp."""
        info, image = camera_info(self._camera_of_size(rgb.shape[1], rgb.shape[0])), encode_rgb(rgb)
        info.header.frame_id = image.header.frame_id = FRAME_ID
        return info, image

    def send(self, info: CameraInfo, image: Image) -> int:
        """Stamp a frame with the present time, publish it and return the stamp in nanoseconds."""
        now = self.get_clock().now()
        info.header.stamp = image.header.stamp = now.to_msg()
        self._infos.publish(info)
        self._images.publish(image)
        return now.nanoseconds


class DemoCamera(CameraNode):
    """A camera that knows when the hand node is active and subscribed."""

    def __init__(self, camera_of_size: CameraOfSize) -> None:
        super().__init__("demo_camera", camera_of_size, namespace="camera")
        self._active = False
        self.create_subscription(HandTopology, "/hamer/topology", self._on_topology, _LATCHED)

    @property
    def is_node_ready(self) -> bool:
        """True if the node has been activated, which its topology shows, and has subscribed."""
        publishers = (self._images, self._infos)
        return self._active and all(p.get_subscription_count() >= 1 for p in publishers)

    def _on_topology(self, _: HandTopology) -> None:
        self._active = True


def play(
    node: CameraNode, frames: Iterator[np.ndarray], period: float, log: Path
) -> np.ndarray | None:
    """Send one frame a period, log its stamp, and return the last frame; None without any.

    period: seconds; 0 for a live camera, which sets the pace itself.

    Late frames are not made up for.
    """
    rgb = None
    with log.open("w", buffering=1) as lines:
        due = time.monotonic()
        for index, rgb in enumerate(frames):
            messages = node.prepare(rgb)
            time.sleep(max(0.0, due - time.monotonic()))
            due = max(due, time.monotonic() - period) + period
            lines.write(sent_line(SentFrame(index, node.send(*messages))))
    return rgb


def recorded(frames: Iterator[np.ndarray], path: Path, rate: float) -> Iterator[np.ndarray]:
    """Yield the frames of a live camera, and write them to a video file meanwhile.

    Raises:
        SourceError: the disk is almost full; OpenCV would lose frames without an error.
    """
    writer = None
    for rgb in frames:
        if (free := shutil.disk_usage(path.parent).free) < _MIN_FREE_BYTES:
            raise SourceError(
                f"{path.parent}, where the camera is recorded, has only {1e-6 * free:.0f} MB left; "
                "make room there, set TMPDIR to another folder, or play less with --seconds"
            )
        if writer is None:
            size = (rgb.shape[1], rgb.shape[0])
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate, size)
        yield rgb
        writer.write(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    if writer is not None:
        writer.release()


def main(arguments: list[str]) -> None:
    """Play a source, with the arguments of `parser`."""
    options = parser().parse_args(arguments)
    events = ProcessEvents(options.events)
    source = open_source(options.source, options.rate, options.seconds)
    frames, period = source.frames(), 1.0 / source.rate
    if source.live:
        frames, period = recorded(frames, options.recording, source.rate), 0.0
    rclpy.init()
    node = DemoCamera(parse_camera(options.camera, source.orientations))
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while not node.is_node_ready:
        executor.spin_once(timeout_sec=0.05)
    events.set(Event.CAMERA_READY)
    while not events.is_set(Event.PLAY):
        time.sleep(0.005)
    last = play(node, frames, period, options.log)
    events.set(Event.PLAYED)
    while last is not None and not events.is_set(Event.STOP):
        time.sleep(_REPEAT_PERIOD)
        node.send(*node.prepare(last))
    node.destroy_node()
    rclpy.try_shutdown()


def parser() -> argparse.ArgumentParser:
    """Return the parser of the arguments that the demo starts this process with."""
    out = argparse.ArgumentParser(description=__doc__)
    out.add_argument("source")
    out.add_argument("--camera")
    out.add_argument("--rate", type=float)
    out.add_argument("--seconds", type=float)
    out.add_argument("--log", type=Path, required=True)
    out.add_argument("--recording", type=Path, required=True)
    out.add_argument("--events", type=Path, required=True)
    return out


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (SourceError, CameraError, OSError) as error:
        sys.exit(str(error))
