"""The camera's side of the node: subscriptions, and messages that belong together.

All of it happens on the executor's thread, and nothing here waits: an image whose companions have
not come is kept, and goes on when they do or when a timer says that its time is up.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TypeAlias

from rclpy.clock import Clock, ClockType
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from hamer_ros.hands import SuggestedBox
from hamer_ros.msg import HandBoxes
from hamer_ros.ros.arrivals import Arrivals
from hamer_ros.ros.boxes import suggested_boxes
from hamer_ros.ros.observations import Observations
from hamer_ros.ros.parameters import Parameters
from hamer_ros.ros.qos import best_effort
from hamer_ros.ros.stamps import nanoseconds
from hamer_ros.ros.synchronizer import Companion, Late, Matched, Released, Synchronizer
from hamer_ros.ros.transports import depth_transport
from hamer_ros.ros.video_packets import PacketReader, packet_type

ImageMessage: TypeAlias = Image | CompressedImage
DepthMessage: TypeAlias = Image | CompressedImage

IMAGE_DEPTH = 5
"""The newest image counts, but it is the node that leaves out the others: where the depth is 1, DDS
replaces images on a busy machine before the node can count them."""
PACKET_DEPTH = 50
COMPANION_DEPTH = 10
"""Companions are small or few, and those of several images may come at once."""

MAX_INFO_WAIT = 0.1
"""Seconds that an image waits for its CameraInfo; drivers publish the two together."""
INFO_TOLERANCE = 3_000_000
"""Nanoseconds by which drivers miss that stamp who stamp the two one after the other."""
BOX_TOLERANCE = 1_000_000
"""Nanoseconds that a stamp loses where somebody keeps it as a floating-point number or in
milliseconds."""

INFO, DEPTH, BOXES = "camera_info", "depth", "boxes"


@dataclass(frozen=True)
class FrameMessages:
    """An image and what belongs to it.

    info: the CameraInfo of the image's stamp, else the last one that had come by then, if any.
    depth: the depth image within the tolerance; ``depth_offset`` is nanoseconds from the image to
        the nearest one where there is none.
    boxes: of the image's stamp; None where none came.
    arrival: seconds of a monotonic clock.
    """

    image: ImageMessage
    arrival: float
    info: CameraInfo | None = None
    depth: DepthMessage | None = None
    depth_offset: int | None = None
    boxes: tuple[SuggestedBox, ...] | None = None


@dataclass(frozen=True)
class LateDepth:
    """A depth image that came ``delay`` seconds after the image of ``stamp`` (ns) had come."""

    stamp: int
    message: DepthMessage
    delay: float


@dataclass(frozen=True)
class Receiver:
    """Where messages go from here; all of it is called on the executor's thread.

    wants: asked for every image that comes, before anything is done with it.
    take: given each image in turn, with what belongs to it.
    drop: told that images are left out, and why.
    take_late: given depth images that came too late for their image.
    """

    wants: Callable[[], bool]
    take: Callable[[FrameMessages], None]
    drop: Callable[[str, int], None]
    take_late: Callable[[LateDepth], None]


class Inputs:
    """Subscribes to the image, its CameraInfo and, where asked for, depth and boxes.

    parameters: the values now; waits and tolerances follow them while the node runs.
    """

    def __init__(
        self,
        node: Node,
        parameters: Callable[[], Parameters],
        receiver: Receiver,
        observations: Observations,
    ) -> None:
        self._node = node
        self._parameters = parameters
        self._receiver = receiver
        self._observations = observations
        self.arrivals = Arrivals()
        self.last_info: CameraInfo | None = None
        now = parameters()
        self._has_boxes = now.detector == "given"
        self._has_depth = now.use_depth
        self._synchronizer: Synchronizer[ImageMessage] = Synchronizer(self._companions(now))
        with ExitStack() as undo:
            self.images = self._subscribe_images(undo, now.image_transport)
            self.infos = self._subscribe(
                undo, CameraInfo, "camera_info", self._take_info, best_effort(COMPANION_DEPTH)
            )
            self.depth: Subscription | None = None
            if self._has_depth:
                raw = depth_transport(now.depth_transport, now.image_transport) == "raw"
                self.depth = self._subscribe(
                    undo,
                    Image if raw else CompressedImage,
                    "depth" if raw else "depth/compressedDepth",
                    self._take_depth,
                    best_effort(COMPANION_DEPTH),
                )
            self.boxes: Subscription | None = None
            if self._has_boxes:
                self.boxes = self._subscribe(
                    undo, HandBoxes, "boxes", self._take_boxes, best_effort(COMPANION_DEPTH)
                )
            # Of a steady clock: an image's patience ends even while simulated time stands still.
            self._timer = node.create_timer(
                1.0, self._time_is_up, clock=Clock(clock_type=ClockType.STEADY_TIME)
            )
            self._timer.cancel()
            undo.callback(node.destroy_timer, self._timer)
            self._undo = undo.pop_all()
        self._has_latched = False

    @property
    def image_topic(self) -> str:
        """The image topic after remapping."""
        return self.images.topic_name

    @property
    def info_topic(self) -> str:
        """The CameraInfo topic after remapping."""
        return self.infos.topic_name

    @property
    def depth_topic(self) -> str:
        """The topic of depth images after remapping; empty where none are subscribed to."""
        return "" if self.depth is None else self.depth.topic_name

    def close(self) -> None:
        """Unsubscribe and forget the images that wait."""
        self._undo.close()

    def clear(self) -> None:
        """Forget the images that wait and what is known of the arrivals: a new stream begins."""
        if count := self._synchronizer.clear_images():
            self._receiver.drop("not wanted any more", count)
        self._timer.cancel()
        self.arrivals = Arrivals()

    def _companions(self, now: Parameters) -> dict[str, Companion]:
        companions = {INFO: Companion(INFO_TOLERANCE, MAX_INFO_WAIT)}
        if self._has_depth:
            tolerance = round(1e9 * now.depth_tolerance)
            companions[DEPTH] = Companion(tolerance, now.max_depth_wait)
        if self._has_boxes:
            companions[BOXES] = Companion(BOX_TOLERANCE, now.max_box_wait, is_required=True)
        return companions

    def _take_image(self, message: ImageMessage, info: dict[str, Any]) -> None:
        if self._is_wanted(message, info):
            self._hold(message)

    def _is_wanted(self, message: Any, info: dict[str, Any]) -> bool:
        """Take note of a message that has come, and ask what to do with it."""
        if not self._receiver.wants():
            self.arrivals.pause()
            return False
        number = info.get("publication_sequence_number")
        self.arrivals.came(number, nanoseconds(message.header.stamp), time.monotonic())
        return True

    def _hold(self, image: ImageMessage) -> None:
        self._synchronizer.companions = self._companions(self._parameters())
        stamp = nanoseconds(image.header.stamp)
        self._pass_on(self._synchronizer.put_image(image, stamp, time.monotonic()))

    def _take_packet(self, message: Any, info: dict[str, Any]) -> None:
        if not self._is_wanted(message, info):
            self._packets.skip()
            return
        for image in self._packets.read(message):
            self._hold(image)

    def _take_info(self, message: CameraInfo) -> None:
        self.last_info = message
        self._put(INFO, message, nanoseconds(message.header.stamp))

    def _take_depth(self, message: DepthMessage) -> None:
        self._put(DEPTH, message, nanoseconds(message.header.stamp))

    def _take_boxes(self, message: HandBoxes) -> None:
        try:
            boxes = suggested_boxes(message)
        except ValueError as error:
            assert self.boxes is not None
            self._observations.saw("bad boxes", f"{self.boxes.topic_name}: {error}")
            return
        self._put(BOXES, boxes, nanoseconds(message.header.stamp))

    def _put(self, stream: str, message: Any, stamp: int) -> None:
        now = time.monotonic()
        self._pass_on(self._synchronizer.put_companion(stream, message, stamp, now))

    def _time_is_up(self) -> None:
        self._pass_on(self._synchronizer.time_passes(time.monotonic()))

    def _pass_on(self, released: Released[ImageMessage]) -> None:
        if released.overtaken:
            self._receiver.drop("no boxes", released.overtaken)
        if released.lost:
            self._receiver.drop("too many wait", released.lost)
        for matched in released.matched:
            self._receiver.take(self._frame_messages(matched))
        for late in released.late:
            self._pass_on_late(late)
        deadline = self._synchronizer.deadline()
        if deadline is None:
            self._timer.cancel()
            return
        # A millisecond at least: a period of 0 would keep the executor busy.
        self._timer.timer_period_ns = int(1e9 * max(deadline - time.monotonic(), 1e-3))
        self._timer.reset()

    def _frame_messages(self, matched: Matched[ImageMessage]) -> FrameMessages:
        companions = matched.companions
        info = companions[INFO] or self._synchronizer.substitute(INFO, matched.stamp)
        return FrameMessages(
            matched.image,
            matched.arrival,
            info,
            companions.get(DEPTH),
            matched.offsets.get(DEPTH),
            companions.get(BOXES),
        )

    def _pass_on_late(self, late: Late) -> None:
        if late.stream == DEPTH:
            self._receiver.take_late(LateDepth(late.stamp, late.message, late.delay))

    def _subscribe_images(self, undo: ExitStack, transport: str) -> Subscription:
        if transport == "ffmpeg":
            # Every packet is needed, for images are predicted from those before.
            qos = best_effort(PACKET_DEPTH)
            kind = packet_type()
            images = self._subscribe(undo, kind, "image/ffmpeg", self._take_packet, qos)
            self._packets = PacketReader(images.topic_name, self._observations, self._receiver.drop)
            return images
        compressed = transport == "compressed"
        return self._subscribe(
            undo,
            CompressedImage if compressed else Image,
            "image/compressed" if compressed else "image",
            self._take_image,
            best_effort(IMAGE_DEPTH),
        )

    def _subscribe(
        self, undo: ExitStack, kind: type, topic: str, take: Callable[..., None], qos: QoSProfile
    ) -> Subscription:
        subscription = self._node.create_subscription(
            kind,
            topic,
            take,
            qos,
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        undo.callback(self._node.destroy_subscription, subscription)
        return subscription

    def subscribe_latched(self) -> None:
        """Also get the CameraInfo that was published once, before the node was there.

        Only where somebody offers it: a subscription that asks for it receives from no publisher
        that does not, and both sides would warn of that.
        """
        if self._has_latched:
            return
        self._has_latched = True
        qos = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        subscription = self._node.create_subscription(
            CameraInfo,
            "camera_info",
            self._take_info,
            qos,
            event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False),
        )
        self._undo.callback(self._node.destroy_subscription, subscription)
