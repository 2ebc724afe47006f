"""Messages that belong together -> a frame: pixels, camera, depth and boxes of one image."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from sensor_msgs.msg import CameraInfo, CompressedImage
from std_msgs.msg import Header

from hamer_ros.camera import CameraError, CameraModel
from hamer_ros.hands import IntrinsicsSource, Remark, SuggestedBox
from hamer_ros.ros.camera_info import CameraInfoError, Intrinsics, read_intrinsics
from hamer_ros.ros.depth_images import DepthError, decode_compressed_depth, decode_depth
from hamer_ros.ros.frame_ids import agreed_frame_id
from hamer_ros.ros.images import (
    ImageError,
    Stretch,
    decode_compressed,
    decode_image,
    image_size,
    odd_size,
)
from hamer_ros.ros.inputs import DepthMessage, FrameMessages
from hamer_ros.ros.observations import DISCOVERY_TIME, Observations
from hamer_ros.ros.parameters import Parameters
from hamer_ros.ros.rejection import FrameRejectedError

MAX_CAMERAS = 16
"""Intrinsics that are kept: those of a zoom camera come back."""


@dataclass(frozen=True)
class Topics:
    """Names after remapping, for what is said."""

    image: str
    camera_info: str
    depth: str = ""


@dataclass(frozen=True)
class ReadFrame:
    """A frame, and what the messages about its hands need to know.

    rgb, camera, depth, boxes: as `hamer_ros.hands.Frame` has them, turned back where the camera
        delivers mirrored images.
    header: the image's stamp, and the frame of the hands.
    source: where the intrinsics came from.
    is_mirrored: the pixels of the image as it was published are mirrored to these.
    """

    rgb: np.ndarray
    camera: CameraModel
    depth: np.ndarray | None
    boxes: tuple[SuggestedBox, ...] | None
    header: Header
    source: IntrinsicsSource
    is_mirrored: bool


class FrameReader:
    """Reads one image after the other; on the worker's thread.

    observations: is told what is odd but accepted.
    without_depth: is told why an image has no depth, a short constant text.
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

    def read(self, messages: FrameMessages, parameters: Parameters) -> ReadFrame:
        """Everything about one image.

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
                    self._observations.saw(remark.subject, f"{self._topics.image}: {remark.text}")
        except (ImageError, CameraError) as error:  # the latter of a size that no camera has
            raise FrameRejectedError("bad image", f"{self._topics.image}: {error}") from error
        depth = self._depth_of(messages, intrinsics.camera, parameters)
        boxes, is_mirrored = messages.boxes, parameters.mirrored
        if is_mirrored:
            rgb = cv2.flip(rgb, 1)
            boxes = (
                None
                if boxes is None
                else tuple(replace(box, box=mirrored_box(box.box, width)) for box in boxes)
            )
        return ReadFrame(
            rgb, intrinsics.camera, depth, boxes, header, intrinsics.source, is_mirrored
        )

    def read_depth(
        self, message: DepthMessage, camera: CameraModel, parameters: Parameters
    ) -> np.ndarray:
        """Depth (H, W) float32 in metres, as the camera's image lies.

        Raises:
            DepthError: of another frame or size, or it cannot be decoded.
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
            self._observations.saw(subject, f"{self._topics.image}: {text}")
        return frame_id

    def _intrinsics_of(
        self, info: CameraInfo | None, width: int, height: int, parameters: Parameters
    ) -> Intrinsics:
        """The camera of images of a size."""
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
            self._observations.saw(subject, f"{self._topics.camera_info}: {text}")
        return found

    def _depth_of(
        self, messages: FrameMessages, camera: CameraModel, parameters: Parameters
    ) -> np.ndarray | None:
        """The depth image that belongs to an image; hands are placed without it where it fails."""
        if not parameters.use_depth:
            return None
        try:
            if messages.depth is None:
                raise self._no_depth(messages, parameters)
            return self.read_depth(messages.depth, camera, parameters)
        except DepthError as error:
            self._without_depth(error.reason)
            patience = DISCOVERY_TIME if error.reason == "no depth" else 0.0
            self._observations.saw(error.reason, str(error), patience)
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


def mirrored_box(box: np.ndarray, width: int) -> np.ndarray:
    """A box (4,) x_min, y_min, x_max, y_max in the pixels of an image turned left to right."""
    x_min, y_min, x_max, y_max = box
    return np.array([width - 1 - x_max, y_min, width - 1 - x_min, y_max])


def _fingerprint(info: CameraInfo | None) -> tuple | None:
    """All that the camera model is made of; a driver repeats it with every image."""
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
