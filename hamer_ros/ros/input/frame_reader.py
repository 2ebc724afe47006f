"""Decoding of an image and the messages that belong to it into a frame of the pipeline."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from sensor_msgs.msg import CameraInfo, CompressedImage
from std_msgs.msg import Header

from hamer_ros.camera.model import CameraError, CameraModel
from hamer_ros.geometry.boxes import mirrored_box
from hamer_ros.hands import Frame, IntrinsicsSource, Remark, never
from hamer_ros.ros.images.decode import (
    ImageError,
    Stretch,
    decode_compressed,
    decode_image,
    image_size,
    odd_size,
)
from hamer_ros.ros.images.depth_images import DepthError, decode_compressed_depth, decode_depth
from hamer_ros.ros.input.camera_info import CameraInfoError, Intrinsics, read_intrinsics
from hamer_ros.ros.input.frame_ids import agreed_frame_id
from hamer_ros.ros.input.frame_messages import DepthMessage, FrameMessages
from hamer_ros.ros.input.frame_rejection import FrameRejectedError
from hamer_ros.ros.input.stamps import in_seconds, nanoseconds
from hamer_ros.ros.input.topics import Topics
from hamer_ros.ros.monitoring.observations import DISCOVERY_TIME, Observations
from hamer_ros.ros.parameters.table import Parameters

MAX_CAMERAS = 16
"""Number of intrinsics that are cached: those of a zoom camera come back."""


@dataclass(frozen=True)
class ReadFrame:
    """A frame, and the facts that the messages about its hands need.

    frame: mirrored back where the camera delivers mirrored images.
    header: the image's stamp, and the frame of the hands.
    source: where the intrinsics come from.
    is_mirrored: the pixels of the image as it was published are mirrored to these.
    """

    frame: Frame
    header: Header
    source: IntrinsicsSource
    is_mirrored: bool


class FrameReader:
    """Decodes one image after the other; on the worker's thread.

    observations: takes what is odd but accepted.
    without_depth: called with the reason why an image has no depth, a short constant text.
    """

    def __init__(
        self, topics: Topics, observations: Observations, without_depth: Callable[[str], None]
    ) -> None:
        self._topics = topics
        self._observations = observations
        self._without_depth = without_depth
        self._stretch = Stretch()
        self._intrinsics: OrderedDict[tuple, Intrinsics] = OrderedDict()
        self._frame_id = ""
        self._camera: CameraModel | None = None

    def read(
        self,
        messages: FrameMessages,
        parameters: Parameters,
        abandoned: Callable[[], bool] = never,
    ) -> ReadFrame:
        """Decode an image and everything that belongs to it.

        abandoned: see `Frame`.

        Raises:
            FrameRejectedError: the image, or the CameraInfo that it needs, is unusable.
        """
        image = messages.image
        header = Header(stamp=image.header.stamp, frame_id=self._agreed_frame(messages))
        try:
            # Before it is decoded: a small picture may claim to be huge.
            width, height = image_size(image)
            intrinsics = self._intrinsics_of(messages.info, width, height, parameters)
            if isinstance(image, CompressedImage):
                rgb = decode_compressed(image, self._stretch, (width, height))
            else:
                rgb = decode_image(image, self._stretch)
                if remark := odd_size(image):
                    self._observations.note(remark.subject, f"{self._topics.image}: {remark.text}")
        except (ImageError, CameraError) as error:  # the latter of a size that no camera has
            raise FrameRejectedError("bad image", f"{self._topics.image}: {error}") from error
        self._camera = intrinsics.camera
        depth = self._depth_of(messages, intrinsics.camera, parameters)
        boxes, is_mirrored = messages.boxes, parameters.mirrored
        if is_mirrored:
            rgb = cv2.flip(rgb, 1)
            boxes = (
                None
                if boxes is None
                else tuple(
                    replace(box, bounding_box=mirrored_box(box.bounding_box, width))
                    for box in boxes
                )
            )
        stamp = in_seconds(nanoseconds(image.header.stamp))
        frame = Frame(rgb, stamp, intrinsics.camera, depth, abandoned, boxes)
        return ReadFrame(frame, header, intrinsics.source, is_mirrored)

    def read_late_depth(self, message: DepthMessage, parameters: Parameters) -> np.ndarray:
        """Return the depth (H, W) float32 in metres for an image that was read before.

        Raises:
            DepthError: another frame or size, it cannot be decoded, or no image was read.
        """
        if self._camera is None:
            raise DepthError("no depth", "no image has been read that it could belong to")
        return self._read_depth(message, self._camera, parameters)

    def _read_depth(
        self, message: DepthMessage, camera: CameraModel, parameters: Parameters
    ) -> np.ndarray:
        """Return the depth (H, W) float32 in metres, mirrored as the camera's image.

        Raises:
            DepthError: another frame or size, or it cannot be decoded.
        """
        frame_id = message.header.frame_id
        if frame_id and frame_id.lstrip("/") != self._frame_id:
            raise DepthError(
                "depth of another frame",
                f"depth on '{self._topics.depth}' is in '{frame_id}', the image in "
                f"'{self._frame_id}'; use the depth that the driver aligns to the colour image",
            )
        decode = decode_compressed_depth if isinstance(message, CompressedImage) else decode_depth
        depth = decode(message, self._topics.depth, camera)
        return cv2.flip(depth, 1) if parameters.mirrored else depth

    def _agreed_frame(self, messages: FrameMessages) -> str:
        own = messages.image.header.frame_id
        info = messages.info
        frame_id, remarks = agreed_frame_id(own, None if info is None else info.header.frame_id)
        if not frame_id:
            raise FrameRejectedError(
                "no frame_id",
                f"{self._topics.image}: header.frame_id is empty, that of CameraInfo as well; the "
                "driver must name the camera's optical frame",
            )
        if self._frame_id not in ("", frame_id):
            remarks += (
                Remark(
                    "frame_id changes",
                    f"the image before was in '{self._frame_id}', this one is in '{frame_id}'; one "
                    "camera has one optical frame",
                ),
            )
        self._frame_id = frame_id
        for subject, text in remarks:
            self._observations.note(subject, f"{self._topics.image}: {text}")
        return frame_id

    def _intrinsics_of(
        self, info: CameraInfo | None, width: int, height: int, parameters: Parameters
    ) -> Intrinsics:
        """Return the camera of images of a size, from the cache where it holds it."""
        rectified, mirrored = parameters.rectified, parameters.mirrored
        may_scale, fov = parameters.scale_camera_info, parameters.assumed_horizontal_fov
        key = (width, height, rectified, mirrored, may_scale, fov, _fingerprint(info))
        found = self._intrinsics.get(key)
        if found is None:
            try:
                found = read_intrinsics(
                    info,
                    width,
                    height,
                    rectified=rectified,
                    scale_camera_info=may_scale,
                    mirrored=mirrored,
                    assumed_horizontal_fov=fov,
                )
            except CameraInfoError as error:
                raise FrameRejectedError(
                    error.reason,
                    f"CameraInfo on '{self._topics.camera_info}', for images on "
                    f"'{self._topics.image}': {error}",
                ) from error
            self._intrinsics[key] = found
            if len(self._intrinsics) > MAX_CAMERAS:
                self._intrinsics.popitem(last=False)
        for subject, text in found.remarks:
            self._observations.note(subject, f"{self._topics.camera_info}: {text}")
        return found

    def _depth_of(
        self, messages: FrameMessages, camera: CameraModel, parameters: Parameters
    ) -> np.ndarray | None:
        """Return the depth image that belongs to an image; None without a usable one."""
        if not parameters.use_depth:
            return None
        try:
            if messages.depth is None:
                raise self._no_depth(messages, parameters)
            return self._read_depth(messages.depth, camera, parameters)
        except DepthError as error:
            self._without_depth(error.reason)
            delay_seconds = DISCOVERY_TIME if error.reason == "no depth" else 0.0
            self._observations.note(error.reason, str(error), delay_seconds)
            return None

    def _no_depth(self, messages: FrameMessages, parameters: Parameters) -> DepthError:
        topic = self._topics.depth
        if messages.depth_offset is None:
            return DepthError(
                "no depth",
                f"no depth image of the image's time has come on '{topic}' within "
                f"{parameters.max_depth_wait:g} s (max_depth_wait)",
            )
        offset = 1e-6 * messages.depth_offset
        return DepthError(
            "depth of another time",
            f"no depth image on '{topic}' has the image's stamp: the nearest is {abs(offset):.1f} "
            f"ms {'later' if offset > 0 else 'earlier'}, depth_tolerance is "
            f"{1e3 * parameters.depth_tolerance:g} ms; let the driver synchronise the two, or "
            "allow more",
        )


def _fingerprint(info: CameraInfo | None) -> tuple | None:
    """Return everything that the camera model depends on; a driver repeats it with every image."""
    if info is None:
        return None
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
