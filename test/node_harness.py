"""A camera and a listener around the node."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from helpers import MODEL
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from hamer_ros.msg import HandMeshArray
from hamer_ros.rendering.clip import HEIGHT, INTRINSICS, WIDTH, clip_frame
from hamer_ros.ros.images.decode import encode_rgb
from hamer_ros.ros.node import HamerNode

HANDS = clip_frame(MODEL, 0)
EMPTY = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)


class NodeHarness:
    """A camera and a listener around the node, all in one context."""

    def __init__(self, context: Context) -> None:
        self.node = HamerNode(context=context)
        self.other = rclpy.create_node("robot", context=context)
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self.node)
        self._executor.add_node(self.other)
        # A reliable publisher, so that no frame is lost when the memory for images is small.
        self._images = self.other.create_publisher(Image, "image", 1)
        self._compressed = self.other.create_publisher(CompressedImage, "image/compressed", 1)
        self._infos = self.other.create_publisher(CameraInfo, "camera_info", 1)
        self.heard: dict[str, list] = {}
        self.beside: list[tuple] = []
        self.listen(HandMeshArray, "/hamer/hands")
        self.listen(TFMessage, "/tf")
        self.listen(DiagnosticArray, "/diagnostics")
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        while not self._closing.is_set():
            self.node.spin_once(self._executor, 0.05)

    def listen(self, kind: type, topic: str, qos: QoSProfile | int = 10) -> None:
        self.heard[topic] = []
        self.other.create_subscription(kind, topic, self.heard[topic].append, qos)

    def info(self, **change) -> CameraInfo:
        fields = {"width": WIDTH, "height": HEIGHT, "k": INTRINSICS.ravel().tolist()}
        message = CameraInfo(**(fields | change))
        message.header.frame_id = "camera_optical_frame"
        return message

    def show(
        self,
        rgb: np.ndarray | None,
        info: CameraInfo | None,
        wait: Callable[[], bool],
        stamp: Time | None = None,
    ) -> bool:
        """Publish an image again and again until something is true; stamps are of now or given."""
        given = stamp
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            stamp = self.other.get_clock().now().to_msg() if given is None else given
            for publisher, message in self.beside:
                message.header = Header(stamp=stamp, frame_id="camera_optical_frame")
                publisher.publish(message)
            if info is not None:
                info.header.stamp = stamp
                self._infos.publish(info)
            if rgb is not None:
                image = encode_rgb(rgb)
                image.header.stamp, image.header.frame_id = stamp, "camera_optical_frame"
                self._images.publish(image)
            time.sleep(0.1)
            if wait():
                return True
        return False

    def show_for(self, seconds: float) -> None:
        """Publish an image with two hands for some time, whatever comes of it."""
        end = time.monotonic() + seconds
        self.show(HANDS.rgb, self.info(), lambda: time.monotonic() > end)

    def hands(self) -> list[HandMeshArray]:
        return self.heard["/hamer/hands"]

    def diagnosis(self) -> DiagnosticStatus:
        return self.heard["/diagnostics"][-1].status[0]

    def diagnosed(self, text: str) -> Callable[[], bool]:
        """Whether a text stands in the last diagnosis."""

        def heard() -> bool:
            if not self.heard["/diagnostics"]:
                return False
            status = self.diagnosis()
            return any(text in t for t in (status.message, *(v.key for v in status.values)))

        return heard

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
        self._executor.shutdown()
        self.node.destroy_node()
        self.other.destroy_node()
