"""Somebody who looks at the node's pictures, and sees whether they can be right.

They come on topics of their own, so those of one image may be heard after the next one was sent.
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

from hamer_ros.bench.faults.judge import of_hand, words
from hamer_ros.msg import HandMeshArray

_KINDS = {
    "/hamer/overlay": Image,
    "/hamer/markers": MarkerArray,
    "/hamer/hands_raw": HandMeshArray,
}
_REMEMBERED = 20
"""Images whose pictures may still come."""


class Onlooker:
    """Subscribes to pictures; must be closed.

    heard: topics on which something has come so far.
    """

    def __init__(self, node: Node) -> None:
        self.heard: set[str] = set()
        self._node = node
        self._headers: deque[Header] = deque(maxlen=_REMEMBERED)
        self._messages: list[tuple[str, Any]] = []
        self._subscriptions = [
            node.create_subscription(kind, topic, self._hearing(topic), 100)
            for topic, kind in _KINDS.items()
        ]

    @property
    def has_heard_all(self) -> bool:
        """Whether something has come on every topic."""
        return len(self.heard) == len(_KINDS)

    def close(self) -> None:
        """Look away."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def processed(self, header: Header) -> None:
        """An image with this header was processed, so there may be pictures of it."""
        self._headers.append(header)

    def faults(self) -> Iterator[str]:
        """What is wrong with the pictures that were heard since this was last asked."""
        messages, self._messages = self._messages, []
        for topic, message in messages:
            for fault in self._of(message):
                yield f"{topic}: {fault}"

    def _hearing(self, topic: str) -> Any:
        def hear(message: Any) -> None:
            self.heard.add(topic)
            self._messages.append((topic, message))

        return hear

    def _of(self, message: Any) -> Iterator[str]:
        headers = (
            [marker.header for marker in message.markers]
            if isinstance(message, MarkerArray)
            else [message.header]
        )
        for header in headers:
            if header not in self._headers:
                yield f"under {words(header)}, where no image was processed"
        if isinstance(message, HandMeshArray):
            for hand in message.hands:
                yield from of_hand(hand)
        elif isinstance(message, Image):
            if message.step * message.height != len(message.data) or not message.data:
                yield f"{message.width}x{message.height} has {len(message.data)} bytes"
        else:
            for marker in (m for m in message.markers if m.action == Marker.ADD):
                points = np.array([(p.x, p.y, p.z) for p in marker.points])
                if not len(points) or not np.isfinite(points).all():
                    yield f"points of {marker.ns} are missing or not finite"
