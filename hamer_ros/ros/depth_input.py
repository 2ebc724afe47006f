"""The depth images that belong to the colour images."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np
from rclpy.node import Node
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from hamer_ros.camera import CameraModel
from hamer_ros.ros.depth_images import DepthError, decode_depth
from hamer_ros.ros.qos import best_effort

DEPTH = 2
"""Messages that DDS keeps."""
TOLERANCE_NS = 20_000_000
"""Stamps of a depth and a colour image that were taken together differ by less."""
MAX_WAIT = 0.03
"""Seconds that the worker waits for a depth image: drivers publish it just after the colour."""
KEPT = 30
"""Images: as many as come while an image waits for its boxes."""


class DepthInput:
    """Receives depth images that are aligned with the colour images, on ``depth``."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._arrived = threading.Condition()
        self._kept: deque[Image] = deque(maxlen=KEPT)
        self._subscription = node.create_subscription(
            Image,
            "depth",
            self._keep,
            best_effort(DEPTH),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self._subscription)

    def belonging_to(self, header: Header, camera: CameraModel) -> np.ndarray:
        """Depth (H, W) float32 in metres, taken with the colour image of a header.

        Called on the worker's thread; waits up to `MAX_WAIT` for it.

        Raises:
            DepthError: there is none, or it is of another frame, size or encoding.
        """
        wanted = _nanoseconds(header)
        with self._arrived:
            self._arrived.wait_for(lambda: self._nearest(wanted) is not None, MAX_WAIT)
            message = self._nearest(wanted)
        topic = self._subscription.topic_name
        if message is None:
            raise DepthError("no depth", f"no depth image on '{topic}' at the image's stamp")
        if message.header.frame_id != header.frame_id:
            raise DepthError(
                "depth of another frame",
                f"depth on '{topic}' is in '{message.header.frame_id}', the image in "
                f"'{header.frame_id}'; use the depth that the driver aligns to the colour image",
            )
        return decode_depth(message, topic, camera)

    def _keep(self, message: Image) -> None:
        with self._arrived:
            self._kept.append(message)
            self._arrived.notify()

    def _nearest(self, wanted: int) -> Image | None:
        near = [(abs(_nanoseconds(m.header) - wanted), i) for i, m in enumerate(self._kept)]
        distance, index = min(near, default=(TOLERANCE_NS, -1))
        return self._kept[index] if distance < TOLERANCE_NS else None


def _nanoseconds(header: Header) -> int:
    return header.stamp.sec * 10**9 + header.stamp.nanosec
