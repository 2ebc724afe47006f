"""The node's publishers of hands, transforms, markers and the overlay image."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import Image
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

from hamer_ros.geometry.boxes import mirrored_box
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hands import TrackedHand, TrackState
from hamer_ros.msg import HandMeshArray, HandTopology
from hamer_ros.rendering.overlay import draw_hands
from hamer_ros.ros.images.decode import encode_rgb
from hamer_ros.ros.input.frame_reader import ReadFrame
from hamer_ros.ros.output.frame_names import FrameNames
from hamer_ros.ros.output.markers import hand_markers
from hamer_ros.ros.output.messages import hand_mesh_array, hand_topology, wrist_transforms
from hamer_ros.ros.parameters.table import Parameters


class HandPublishers:
    """Publishes the hands of a frame in every form that has a subscriber."""

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
        self, hands: Sequence[TrackedHand], read: ReadFrame, seconds: float, parameters: Parameters
    ) -> None:
        """Publish one frame: hands and transforms always, pictures only for subscribers.

        Transforms go first: a client that has got a message will find them.

        seconds: the pipeline's time of the frame, which passes even where the header's does not.
        """
        seen = [hand for hand in hands if hand.raw is not None]
        frames = self._frames.assign(seen, seconds)
        # Before the hands: a client that receives a hand looks up its transform at once.
        if parameters.publish_tf and seen:
            self._tf.publish(TFMessage(transforms=wrist_transforms(seen, read.header, frames)))
        self._hands.publish(self._array(hands, read, parameters))
        if self._raw.get_subscription_count():
            raw = [replace(hand, placed=hand.raw) for hand in hands if hand.raw is not None]
            self._raw.publish(self._array(raw, read, parameters))
        shown = [hand for hand in hands if hand.state is not TrackState.LOST]
        if self._markers.get_subscription_count():
            self._markers.publish(hand_markers(shown, read.header, self._model.faces))
        if self._overlay.get_subscription_count():
            picture = draw_hands(read.frame.rgb, shown, read.frame.camera, self._model.faces)
            overlay = encode_rgb(picture[:, ::-1] if read.is_mirrored else picture)
            overlay.header = read.header
            self._overlay.publish(overlay)

    def _array(
        self, hands: Sequence[TrackedHand], read: ReadFrame, parameters: Parameters
    ) -> HandMeshArray:
        if read.is_mirrored:
            hands = [_in_mirrored_pixels(hand, read.frame.camera.width) for hand in hands]
        array = hand_mesh_array(
            hands,
            read.header,
            estimator=self._estimator,
            model=self._model,
            with_vertices=parameters.publish_vertices,
        )
        array.intrinsics_source = int(read.source)
        array.focal_length_sigma = float(read.frame.camera.focal_sigma)
        return array

    def close(self) -> None:
        """Destroy the publishers."""
        self._undo.close()


def _in_mirrored_pixels(tracked: TrackedHand, width: int) -> TrackedHand:
    """Return a hand whose pixels are those of the image as it was published, which is mirrored."""
    hand = tracked.placed.hand
    box = mirrored_box(hand.detection.bounding_box, width)
    keypoints = hand.keypoints * [-1, 1] + [width - 1, 0]
    turned = replace(hand, detection=replace(hand.detection, bounding_box=box), keypoints=keypoints)
    return replace(tracked, placed=replace(tracked.placed, hand=turned))
