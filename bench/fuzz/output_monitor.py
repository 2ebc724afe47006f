"""A subscriber to the node's overlay, markers and raw hands that checks them.

They come on topics of their own, so those of one image may be received after the next one was sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from visualization_msgs.msg import Marker, MarkerArray

from bench.fuzz.oracle import check_hand, header_text
from hamer_ros.msg import HandMeshArray

_KINDS = {
    "/hamer/overlay": Image,
    "/hamer/markers": MarkerArray,
    "/hamer/hands_raw": HandMeshArray,
}
_REMEMBERED = 20
"""Number of images whose pictures may still come."""


class OutputMonitor:
    """Subscribes to overlay, markers and raw hands; must be closed.

    received: topics on which something has come so far.
    """

    def __init__(self, node: Node) -> None:
        self.received: set[str] = set()
        self._node = node
        self._headers: deque[Header] = deque(maxlen=_REMEMBERED)
        self._messages: list[tuple[str, Any]] = []
        self._subscriptions = [
            node.create_subscription(kind, topic, self._callback(topic), 100)
            for topic, kind in _KINDS.items()
        ]

    @property
    def has_received_all(self) -> bool:
        """True if something has come on every topic."""
        return len(self.received) == len(_KINDS)

    def close(self) -> None:
        """Unsubscribe."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def processed(self, header: Header) -> None:
        """Record that an image with this header was processed, so there may be pictures of it."""
        self._headers.append(header)

    def faults(self) -> Iterator[str]:
        """Yield the faults of what was received since the last call."""
        messages, self._messages = self._messages, []
        for topic, message in messages:
            for fault in self._check(message):
                yield f"{topic}: {fault}"

    def _callback(self, topic: str) -> Any:
        def receive(message: Any) -> None:
            self.received.add(topic)
            self._messages.append((topic, message))

        return receive

    def _check(self, message: Any) -> Iterator[str]:
        headers = (
            [marker.header for marker in message.markers]
            if isinstance(message, MarkerArray)
            else [message.header]
        )
        for header in headers:
            if header not in self._headers:
                yield f"under {header_text(header)}, where no image was processed"
        if isinstance(message, HandMeshArray):
            for hand in message.hands:
                yield from check_hand(hand)
        elif isinstance(message, Image):
            if message.step * message.height != len(message.data) or not message.data:
                yield f"{message.width}x{message.height} has {len(message.data)} bytes"
        else:
            for marker in (m for m in message.markers if m.action == Marker.ADD):
                points = np.array([(p.x, p.y, p.z) for p in marker.points])
                if not len(points) or not np.isfinite(points).all():
                    yield f"points of {marker.ns} are missing or not finite"
