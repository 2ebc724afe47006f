"""The client process of the demo: records the node's messages and when they came.

It subscribes to overlay and markers only from `Event.PICTURES_WANTED` on, because the node draws
them only for subscribers and the drawing would be measured as well.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import Image
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

from hamer_ros.demo.process_events import Event, ProcessEvents
from hamer_ros.demo.records import (
    Recording,
    SeenFrame,
    SeenHand,
    SeenTransform,
    write_recording,
)
from hamer_ros.hands import Handedness
from hamer_ros.msg import HandMesh, HandMeshArray, HandTopology
from hamer_ros.ros.images.decode import decode_image

_SEEN = (HandMesh.NEW, HandMesh.TRACKED)
_DEEP = QoSProfile(depth=100)
_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class ViewerNode(Node):
    """Keeps all messages as they came; `recording` converts them to plain data afterwards."""

    def __init__(self) -> None:
        super().__init__("demo_viewer")
        self._hands: list[tuple[int, HandMeshArray]] = []
        self._tf: list[TFMessage] = []
        self._topology: HandTopology | None = None
        self._overlay: Image | None = None
        self._markers: MarkerArray | None = None
        self.create_subscription(HandMeshArray, "/hamer/hands", self._on_hands, _DEEP)
        self.create_subscription(TFMessage, "/tf", self._tf.append, _DEEP)
        self.create_subscription(HandTopology, "/hamer/topology", self._on_topology, _LATCHED)

    @property
    def is_connected(self) -> bool:
        """True if the node is active and publishes hands and transforms."""
        topics = ("/hamer/hands", "/tf")
        return self._topology is not None and all(self.count_publishers(t) for t in topics)

    @property
    def has_pictures(self) -> bool:
        """True if overlay and markers have come."""
        return self._overlay is not None and self._markers is not None

    def subscribe_to_pictures(self) -> None:
        """Subscribe to overlay and markers."""
        self.create_subscription(Image, "/hamer/overlay", self._on_overlay, 1)
        self.create_subscription(MarkerArray, "/hamer/markers", self._on_markers, 1)

    def recording(self) -> Recording:
        """Return what has come until now."""
        topology, faces = self._topology, {}
        if topology is not None:
            faces = {
                Handedness.LEFT: np.array(topology.left_faces, np.int64).reshape(-1, 3),
                Handedness.RIGHT: np.array(topology.right_faces, np.int64).reshape(-1, 3),
            }
        return Recording(
            estimator=self._hands[0][1].estimator if self._hands else "",
            frames=tuple(seen_frame(received, message) for received, message in self._hands),
            transforms=tuple(t for message in self._tf for t in seen_transforms(message)),
            faces=faces,
            overlay=None if self._overlay is None else decode_image(self._overlay),
            markers=None if self._markers is None else len(self._markers.markers),
        )

    def _on_hands(self, message: HandMeshArray) -> None:
        self._hands.append((time.time_ns(), message))

    def _on_topology(self, message: HandTopology) -> None:
        self._topology = message

    def _on_overlay(self, message: Image) -> None:
        self._overlay = message

    def _on_markers(self, message: MarkerArray) -> None:
        self._markers = message


def seen_frame(received: int, message: HandMeshArray) -> SeenFrame:
    """Return a message that came at a time in ns as plain data, without predicted hands."""
    hands = [hand for hand in message.hands if hand.track_state in _SEEN]
    return SeenFrame(_nanoseconds(message.header.stamp), received, tuple(map(seen_hand, hands)))


def seen_hand(hand: HandMesh) -> SeenHand:
    """Return one hand as plain data."""
    p, q = hand.wrist.pose.position, hand.wrist.pose.orientation
    wrist = np.array([p.x, p.y, p.z, q.x, q.y, q.z, q.w])
    numbers = (
        wrist,
        hand.wrist.covariance,
        hand.joints,
        hand.keypoints,
        hand.keypoint_scores,
        hand.bounding_box,
        hand.betas,
        hand.hand_pose,
        np.array(hand.vertices, np.float32),
        [hand.handedness_score, hand.detection_score, hand.reprojection_rms],
    )
    return SeenHand(
        handedness=Handedness(hand.handedness),
        track_id=hand.track_id,
        score=hand.detection_score,
        joints=np.array(hand.joints, np.float64).reshape(-1, 3),
        vertices=np.array(hand.vertices, np.float32).reshape(-1, 3),
        keypoints=np.array(hand.keypoints, np.float64).reshape(-1, 2),
        wrist=wrist,
        finite=all(bool(np.isfinite(values).all()) for values in numbers),
    )


def seen_transforms(message: TFMessage) -> list[SeenTransform]:
    """Return the transforms of one message as plain data."""
    return [
        SeenTransform(
            _nanoseconds(transform.header.stamp),
            transform.header.frame_id,
            transform.child_frame_id,
            np.array([t.x, t.y, t.z]),
            np.array([r.x, r.y, r.z, r.w]),
        )
        for transform in message.transforms
        for t, r in [(transform.transform.translation, transform.transform.rotation)]
    ]


def _nanoseconds(stamp: Time) -> int:
    return stamp.sec * 10**9 + stamp.nanosec


def main(arguments: list[str]) -> None:
    """Record until `Event.STOP`, then write the recording."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recording", type=Path, required=True)
    parser.add_argument("--events", type=Path, required=True)
    options = parser.parse_args(arguments)
    events = ProcessEvents(options.events)
    rclpy.init()
    node = ViewerNode()
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    is_subscribed = False
    while not events.is_set(Event.STOP):
        executor.spin_once(timeout_sec=0.05)
        if node.is_connected and not events.is_set(Event.CLIENT_READY):
            events.set(Event.CLIENT_READY)
        if events.is_set(Event.PICTURES_WANTED) and not is_subscribed:
            is_subscribed = True
            node.subscribe_to_pictures()
        if node.has_pictures and not events.is_set(Event.PICTURES_RECEIVED):
            events.set(Event.PICTURES_RECEIVED)
    write_recording(options.recording, node.recording())
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError as error:
        sys.exit(str(error))
