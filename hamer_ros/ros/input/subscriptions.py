"""The node's subscriptions to a camera, whose messages are matched and passed on.

All of it happens on the executor's thread, and nothing here waits: an image whose companions have
not come is kept, and goes on when they come or when a timer ends its wait.  Only video is computed
with: its packets are decoded here, for every one of them is needed, in order.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from hamer_ros.msg import HandBoxes
from hamer_ros.ros.images.video_packets import PacketReader, packet_type
from hamer_ros.ros.input.arrivals import Arrivals
from hamer_ros.ros.input.external_boxes import external_boxes
from hamer_ros.ros.input.frame_messages import (
    DepthMessage,
    FrameMessages,
    FrameSink,
    ImageMessage,
    LateDepth,
)
from hamer_ros.ros.input.qos import best_effort
from hamer_ros.ros.input.stamps import nanoseconds
from hamer_ros.ros.input.synchronizer import Companion, Late, Matched, Released, Synchronizer
from hamer_ros.ros.input.topics import BOXES, CAMERA_INFO, depth_name, image_name
from hamer_ros.ros.monitoring.observations import Observations
from hamer_ros.ros.parameters.table import Parameters

IMAGE_DEPTH = 5
"""Depth of the queue of images.  Only the newest counts, but the node must drop the others: with a
depth of 1, DDS replaces images on a busy machine before the node can count them."""
PACKET_DEPTH = 50
COMPANION_DEPTH = 10
"""Depth of the other queues: companions are small or few, and those of several images may come at
once."""

MAX_INFO_WAIT = 0.1
"""Seconds that an image waits for its CameraInfo; drivers publish the two together."""
INFO_TOLERANCE = 3_000_000
"""Nanoseconds by which the two stamps differ with drivers that take them one after the other."""
BOX_TOLERANCE = 1_000_000
"""Nanoseconds that a stamp loses when it is kept as a floating-point number or in milliseconds."""

DEPTH = "depth"
"""Name of the stream of depth images."""


class CameraSubscriptions:
    """Subscribes to the image, its CameraInfo and, where asked for, depth and boxes.

    parameters: returns the present values, which waits and tolerances follow.
    wants_image: called for every image that comes; returns True if it is to be processed.
    sink: receives each image in turn, with the messages that belong to it.
    """

    def __init__(
        self,
        node: Node,
        parameters: Callable[[], Parameters],
        wants_image: Callable[[], bool],
        sink: FrameSink,
        observations: Observations,
    ) -> None:
        self._node = node
        self._parameters = parameters
        self._wants_image = wants_image
        self._sink = sink
        self._observations = observations
        self.arrivals = Arrivals()
        self.last_info: CameraInfo | None = None
        now = parameters()
        self._has_boxes = now.detector == "external"
        self._has_depth = now.use_depth
        self._synchronizer: Synchronizer[ImageMessage] = Synchronizer(self._companions(now))
        with ExitStack() as undo:
            self.images = self._subscribe_images(undo, now)
            qos = best_effort(COMPANION_DEPTH)
            self._subscribe(undo, CameraInfo, CAMERA_INFO, self._on_info, qos)
            if self._has_depth:
                name = depth_name(now)
                kind = Image if name == "depth" else CompressedImage
                self._subscribe(undo, kind, name, self._on_depth, best_effort(COMPANION_DEPTH))
            if self._has_boxes:
                qos = best_effort(COMPANION_DEPTH)
                boxes = self._subscribe(undo, HandBoxes, BOXES, self._on_boxes, qos)
                self._boxes_topic = boxes.topic_name
            # A steady clock, because an image's wait ends even while simulated time stands still.
            self._timer = node.create_timer(
                1.0, self._on_timeout, clock=Clock(clock_type=ClockType.STEADY_TIME)
            )
            self._timer.cancel()
            undo.callback(node.destroy_timer, self._timer)
            self._undo = undo.pop_all()
        self._has_latched = False

    @property
    def image_topic(self) -> str:
        """The name of the image topic after remapping."""
        return self.images.topic_name

    def close(self) -> None:
        """Unsubscribe and drop the waiting images."""
        self._undo.close()

    def clear(self) -> None:
        """Drop the waiting images and the record of arrivals: a new stream begins."""
        if count := self._synchronizer.clear_images():
            self._sink.drop("not wanted any more", count)
        self._timer.cancel()
        self.arrivals = Arrivals()

    def _companions(self, now: Parameters) -> dict[str, Companion]:
        companions = {CAMERA_INFO: Companion(INFO_TOLERANCE, MAX_INFO_WAIT)}
        if self._has_depth:
            tolerance = round(1e9 * now.depth_tolerance)
            companions[DEPTH] = Companion(tolerance, now.max_depth_wait)
        if self._has_boxes:
            companions[BOXES] = Companion(BOX_TOLERANCE, now.max_box_wait, is_required=True)
        return companions

    def _on_image(self, message: ImageMessage, info: dict[str, Any]) -> None:
        if self._is_wanted(message, info):
            self._add_image(message)

    def _is_wanted(self, message: Any, info: dict[str, Any]) -> bool:
        """Record an image or packet that has come, and return True if it is to be processed."""
        if not self._wants_image():
            self.arrivals.pause()
            return False
        number = info.get("publication_sequence_number")
        self.arrivals.add(number, nanoseconds(message.header.stamp), time.monotonic())
        return True

    def _add_image(self, image: ImageMessage) -> None:
        self._synchronizer.companions = self._companions(self._parameters())
        stamp = nanoseconds(image.header.stamp)
        self._forward(self._synchronizer.put_image(image, stamp, time.monotonic()))

    def _on_packet(self, message: Any, info: dict[str, Any]) -> None:
        if not self._is_wanted(message, info):
            self._packets.skip()
            return
        for image in self._packets.read(message):
            self._add_image(image)

    def _on_info(self, message: CameraInfo) -> None:
        self.last_info = message
        self._put(CAMERA_INFO, message, nanoseconds(message.header.stamp))

    def _on_depth(self, message: DepthMessage) -> None:
        self._put(DEPTH, message, nanoseconds(message.header.stamp))

    def _on_boxes(self, message: HandBoxes) -> None:
        try:
            boxes = external_boxes(message)
        except ValueError as error:
            self._observations.note("bad boxes", f"{self._boxes_topic}: {error}")
            return
        self._put(BOXES, boxes, nanoseconds(message.header.stamp))

    def _put(self, stream: str, message: Any, stamp: int) -> None:
        now = time.monotonic()
        self._forward(self._synchronizer.put_companion(stream, message, stamp, now))

    def _on_timeout(self) -> None:
        self._forward(self._synchronizer.time_passes(time.monotonic()))

    def _forward(self, released: Released[ImageMessage]) -> None:
        if released.overtaken:
            self._sink.drop("no boxes", released.overtaken)
        if released.lost:
            self._sink.drop("too many wait", released.lost)
        for matched in released.matched:
            self._sink.put(self._frame_messages(matched))
        for late in released.late:
            self._forward_late(late)
        deadline = self._synchronizer.deadline()
        if deadline is None:
            self._timer.cancel()
            return
        # A millisecond at least: a period of 0 would keep the executor busy.
        self._timer.timer_period_ns = int(1e9 * max(deadline - time.monotonic(), 1e-3))
        self._timer.reset()

    def _frame_messages(self, matched: Matched[ImageMessage]) -> FrameMessages:
        companions = matched.companions
        info = companions[CAMERA_INFO] or self._synchronizer.substitute(CAMERA_INFO, matched.stamp)
        return FrameMessages(
            matched.image,
            matched.arrival,
            info,
            companions.get(DEPTH),
            matched.offsets.get(DEPTH),
            companions.get(BOXES),
        )

    def _forward_late(self, late: Late) -> None:
        if late.stream == DEPTH:
            self._sink.put_late_depth(LateDepth(late.stamp, late.message, late.delay))

    def _subscribe_images(self, undo: ExitStack, now: Parameters) -> Subscription:
        name = image_name(now)
        if now.image_transport == "ffmpeg":
            # Every packet is needed, for images are predicted from those before.
            qos = best_effort(PACKET_DEPTH)
            images = self._subscribe(undo, packet_type(), name, self._on_packet, qos)
            self._packets = PacketReader(images.topic_name, self._observations, self._sink.drop)
            return images
        kind = Image if now.image_transport == "raw" else CompressedImage
        return self._subscribe(undo, kind, name, self._on_image, best_effort(IMAGE_DEPTH))

    def _subscribe(
        self,
        undo: ExitStack,
        kind: type,
        topic: str,
        callback: Callable[..., None],
        qos: QoSProfile,
    ) -> Subscription:
        subscription = self._node.create_subscription(
            kind,
            topic,
            callback,
            qos,
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        undo.callback(self._node.destroy_subscription, subscription)
        return subscription

    def subscribe_latched(self) -> None:
        """Subscribe to a CameraInfo that was published once, before the node was there.

        Only where a publisher offers it: such a subscription receives nothing from a publisher that
        does not, and both sides would warn of that.
        """
        if self._has_latched:
            return
        self._has_latched = True
        qos = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        subscription = self._node.create_subscription(
            CameraInfo,
            CAMERA_INFO,
            self._on_info,
            qos,
            event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False),
        )
        self._undo.callback(self._node.destroy_subscription, subscription)
