"""The camera's side of the node: image and CameraInfo subscriptions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, TypeAlias

import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSCompatibility, qos_check_compatible
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from hamer_ros.camera import CameraError, CameraModel
from hamer_ros.ros.camera_info import CameraInfoError, Intrinsics, read_intrinsics
from hamer_ros.ros.images import ImageError, decode_compressed, decode_image, image_size
from hamer_ros.ros.parameters import Parameters
from hamer_ros.ros.qos import best_effort
from hamer_ros.ros.rejection import FrameRejectedError

ImageMessage: TypeAlias = Image | CompressedImage

DEPTH = 5
"""The newest image counts, but it is the node that leaves out the others: where the depth is 1, DDS
replaces images on a busy machine before the node can count them."""


class CameraInput:
    """Receives images and keeps the last CameraInfo.

    on_image: called with every image message, on the executor's thread.
    """

    def __init__(
        self, node: Node, transport: str, on_image: Callable[[ImageMessage], None]
    ) -> None:
        self._node = node
        is_compressed = transport == "compressed"
        kind, topic = (CompressedImage, "image/compressed") if is_compressed else (Image, "image")
        with ExitStack() as undo:
            self._images = self._subscribe(undo, kind, topic, on_image)
            self._infos = self._subscribe(undo, CameraInfo, "camera_info", self._keep)
            self._undo = undo.pop_all()
        self._info: CameraInfo | None = None
        self._camera: tuple[tuple, Intrinsics] | None = None

    @property
    def image_topic(self) -> str:
        """The image topic after remapping."""
        return self._images.topic_name

    @property
    def info_topic(self) -> str:
        """The CameraInfo topic after remapping."""
        return self._infos.topic_name

    def close(self) -> None:
        """Unsubscribe."""
        self._undo.close()

    def decode(
        self, message: ImageMessage, parameters: Parameters
    ) -> tuple[np.ndarray, CameraModel]:
        """The image (H, W, 3) as RGB and the camera that took it.

        Raises:
            FrameRejectedError: the image, or the CameraInfo that it needs, is unusable.
        """
        if not message.header.frame_id:
            raise FrameRejectedError(
                "no frame_id",
                f"{self.image_topic}: header.frame_id is empty; the driver must name the camera's "
                "optical frame",
            )
        try:
            # Before it is decoded: a small picture may claim to be huge.
            camera = self._camera_of(*image_size(message), parameters)
            if isinstance(message, CompressedImage):
                return decode_compressed(message), camera
            return decode_image(message), camera
        except (ImageError, CameraError) as error:  # the latter of a size that no camera has
            raise FrameRejectedError("bad image", f"{self.image_topic}: {error}") from error

    def why_silent(self) -> str:
        """What can be said about an image topic on which nothing arrives."""
        publishers = self._node.get_publishers_info_by_topic(self.image_topic)
        if not publishers:
            return "nobody publishes it; remap image and camera_info to your camera's topics"
        own = self._images.get_publisher_count()
        asked = self._node.get_subscriptions_info_by_topic(self.image_topic)
        mine = [s.qos_profile for s in asked if s.node_name == self._node.get_name()]
        for publisher in publishers:
            for profile in mine:
                compatibility, reason = qos_check_compatible(publisher.qos_profile, profile)
                if compatibility != QoSCompatibility.OK:
                    return f"QoS mismatch with {publisher.node_name}: {reason.strip()}"
        if not own:
            return f"{publishers[0].node_name} publishes {publishers[0].topic_type} on it"
        return (
            f"{publishers[0].node_name} publishes it, but nothing arrives; images larger than "
            "Fast DDS' shared-memory segment are lost: start the camera with "
            "FASTRTPS_DEFAULT_PROFILES_FILE set to hamer_ros' config/fastdds.xml"
        )

    def _subscribe(
        self, undo: ExitStack, kind: type, topic: str, take: Callable[[Any], None]
    ) -> Subscription:
        subscription = self._node.create_subscription(
            kind,
            topic,
            take,
            best_effort(DEPTH),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        undo.callback(self._node.destroy_subscription, subscription)
        return subscription

    def _keep(self, info: CameraInfo) -> None:
        self._info = info

    def _camera_of(self, width: int, height: int, parameters: Parameters) -> CameraModel:
        """The camera of images of a size."""
        info, rectified = self._info, parameters.rectified
        may_scale, fov = parameters.scale_camera_info, parameters.assumed_horizontal_fov
        fingerprint = None if info is None else _fingerprint(info)
        key = (width, height, rectified, may_scale, fov, fingerprint)
        if self._camera is not None and self._camera[0] == key:
            return self._camera[1].camera
        try:
            intrinsics = read_intrinsics(
                info,
                width,
                height,
                rectified=rectified,
                scale_camera_info=may_scale,
                mirrored=False,
                assumed_horizontal_fov=fov,
            )
        except CameraInfoError as error:
            if info is None:
                raise FrameRejectedError(
                    error.reason,
                    f"no CameraInfo on '{self.info_topic}', so images on '{self.image_topic}' "
                    "cannot be placed; publish it, or set assumed_horizontal_fov to go on with a "
                    "guess",
                ) from error
            raise FrameRejectedError(error.reason, f"{self.info_topic}: {error}") from error
        for subject, text in intrinsics.remarks:
            self._node.get_logger().warning(f"{self.info_topic}: {subject}: {text}")
        self._camera = key, intrinsics
        return intrinsics.camera


def _fingerprint(info: CameraInfo) -> tuple:
    """All that the camera model is made of; a driver repeats it with every image."""
    roi = info.roi
    return (
        info.width,
        info.height,
        info.distortion_model,
        bytes(info.d),
        info.k.tobytes(),
        info.r.tobytes(),
        info.p.tobytes(),
        info.binning_x,
        info.binning_y,
        (roi.x_offset, roi.y_offset, roi.width, roi.height),
    )
