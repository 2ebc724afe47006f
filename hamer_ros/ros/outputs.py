"""The clients' side of the node: what it publishes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import numpy as np
from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

from hamer_ros.camera import CameraModel
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hands import TrackedHand, TrackState
from hamer_ros.msg import HandMeshArray, HandTopology
from hamer_ros.rendering.overlay import draw_hands
from hamer_ros.ros.frame_names import FrameNames
from hamer_ros.ros.images import encode_rgb
from hamer_ros.ros.markers import hand_markers
from hamer_ros.ros.messages import hand_mesh_array, hand_topology, wrist_transforms
from hamer_ros.ros.parameters import Parameters


class Outputs:
    """Publishes the hands of a frame in every form that somebody wants."""

    def __init__(
        self, node: LifecycleNode, model: HandModel, estimator: str, tf_prefix: str
    ) -> None:
        self._node = node
        self._model = model
        self._estimator = estimator
        self._frames = FrameNames(tf_prefix)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        with ExitStack() as undo:
            publisher = partial(self._publisher, undo)
            self._hands = publisher(HandMeshArray, "~/hands", QoSProfile(depth=5))
            self._raw = publisher(HandMeshArray, "~/hands_raw", QoSProfile(depth=5))
            self._topology = publisher(HandTopology, "~/topology", latched)
            self._markers = publisher(MarkerArray, "~/markers", QoSProfile(depth=1))
            self._overlay = publisher(Image, "~/overlay", QoSProfile(depth=1))
            self._tf = publisher(TFMessage, "/tf", QoSProfile(depth=100))
            self._undo = undo.pop_all()

    def _publisher(
        self, undo: ExitStack, kind: type, topic: str, qos: QoSProfile
    ) -> LifecyclePublisher:
        publisher = self._node.create_lifecycle_publisher(
            kind, topic, qos, qos_overriding_options=QoSOverridingOptions.with_default_policies()
        )
        undo.callback(self._node.destroy_lifecycle_publisher, publisher)
        return publisher

    def publish_topology(self) -> None:
        """Publish what never changes; once after activation."""
        self._topology.publish(hand_topology(self._model))

    def publish(
        self,
        hands: Sequence[TrackedHand],
        header: Header,
        seconds: float,
        rgb: np.ndarray,
        camera: CameraModel,
        parameters: Parameters,
    ) -> None:
        """Publish one frame: what costs little always, pictures only for those who look.

        seconds: the pipeline's time of the frame, which passes even where the header's does not.
        """
        self._hands.publish(self._array(hands, header, parameters))
        if self._raw.get_subscription_count():
            raw = [replace(hand, placed=hand.raw) for hand in hands if hand.raw is not None]
            self._raw.publish(self._array(raw, header, parameters))
        seen = [hand for hand in hands if hand.raw is not None]
        frames = self._frames.assign(seen, seconds)
        if parameters.publish_tf and seen:
            self._tf.publish(TFMessage(transforms=wrist_transforms(seen, header, frames)))
        shown = [hand for hand in hands if hand.state is not TrackState.LOST]
        if self._markers.get_subscription_count():
            self._markers.publish(hand_markers(shown, header, self._model.faces))
        if self._overlay.get_subscription_count():
            picture = encode_rgb(draw_hands(rgb, shown, camera, self._model.faces))
            picture.header = header
            self._overlay.publish(picture)

    def _array(
        self, hands: Sequence[TrackedHand], header: Header, parameters: Parameters
    ) -> HandMeshArray:
        return hand_mesh_array(
            hands,
            header,
            estimator=self._estimator,
            hand_model=self._model.name,
            with_vertices=parameters.publish_vertices,
        )

    def close(self) -> None:
        """Take the publishers back."""
        self._undo.close()
