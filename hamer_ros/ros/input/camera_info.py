"""Conversion of sensor_msgs/CameraInfo to a camera model, with remarks on what is odd about it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from sensor_msgs.msg import CameraInfo

from hamer_ros.camera.lens_names import is_known, lens_of
from hamer_ros.camera.model import GUESS_SIGMA, CameraError, CameraModel
from hamer_ros.hands import IntrinsicsSource, Remark
from hamer_ros.ros.input.camera_info_oddities import oddities

SCALED_SIGMA = 0.05
"""Relative standard deviation of a focal length that was scaled from another resolution.  Drivers
that shrink the whole picture are right to a thousandth; those that cut a margin off first, for
stabilisation or for the sensor's mode, take 5 to 10 % of it."""

ASPECT_TOLERANCE = 0.01
"""Relative difference of width over height up to which two resolutions are of one shape: 848x480
and 1280x720 are, whose rows do not come out even."""


class CameraInfoError(CameraError):
    """A CameraInfo without usable intrinsics for an image.

    reason: a short constant text, under which diagnostics count it.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True)
class Intrinsics:
    """The camera of an image.

    source: where the intrinsics come from.
    remarks: what is odd, but accepted: a short constant subject and a text with the values each.
    """

    camera: CameraModel
    source: IntrinsicsSource
    remarks: tuple[Remark, ...] = ()


def read_intrinsics(
    info: CameraInfo | None,
    width: int,
    height: int,
    *,
    rectified: bool,
    scale_camera_info: bool,
    mirrored: bool,
    assumed_horizontal_fov: float,
) -> Intrinsics:
    """Return the camera of an image of width x height pixels.

    info: the CameraInfo that belongs to it; None where none has come.
    rectified: the image is rectified; then P holds and there is no distortion, else K and D.
    scale_camera_info: take a CameraInfo of another resolution of the same shape.
    mirrored: the image is mirrored back after it was taken, and the camera with it.
    assumed_horizontal_fov: degrees; the guess for a camera that is not calibrated, 0 refuses.

    Raises:
        CameraInfoError: for the reasons ``no camera_info``, ``uncalibrated camera``,
            ``bad camera_info`` and ``size differs from camera_info``.
        CameraError: an image of a size that no camera has.
    """
    if info is None:
        missing = CameraInfoError(
            "no camera_info",
            "none has come; publish it, or set assumed_horizontal_fov to go on with a guess",
        )
        found = _guess(width, height, assumed_horizontal_fov, missing)
    elif (why := _uncalibrated(info, rectified)) is not None:
        advice = (
            ""
            if "rectified" in why
            else "; calibrate the camera (ros2 run camera_calibration cameracalibrator), or set "
            "assumed_horizontal_fov to go on with a guess"
        )
        uncalibrated = CameraInfoError("uncalibrated camera", why + advice)
        found = _guess(width, height, assumed_horizontal_fov, uncalibrated)
    else:
        found = _calibrated(info, width, height, rectified, scale_camera_info)
    if mirrored:
        return Intrinsics(found.camera.mirrored(), found.source, found.remarks)
    return found


def _guess(width: int, height: int, degrees: float, error: CameraInfoError) -> Intrinsics:
    if not degrees > 0:
        raise error
    camera = CameraModel.from_fov(width, height, math.radians(degrees), GUESS_SIGMA)
    text = (
        f"assumed_horizontal_fov, {degrees:g} degrees, stands for the intrinsics, so distances may "
        f"be off by {100 * GUESS_SIGMA:.0f} %; {error.reason}"
    )
    return Intrinsics(
        camera, IntrinsicsSource.ASSUMED_FIELD_OF_VIEW, (Remark("guessed intrinsics", text),)
    )


def _uncalibrated(info: CameraInfo, rectified: bool) -> str | None:
    """Return why there are no intrinsics at all; None if there are."""
    if _has_k(info) or (rectified and _has_p(info)):
        return None
    if rectified:
        return f"p[0] is {info.p[0]:g}, and k[0] is {info.k[0]:g}, so the camera is not calibrated"
    text = f"k[0] is {info.k[0]:g}, so the camera is not calibrated"
    if _has_p(info):
        return (
            f"{text}, but P is there (p[0] is {info.p[0]:g}): where the images are rectified, set "
            "rectified to true"
        )
    return text


def _has_k(info: CameraInfo) -> bool:
    """True if K is calibrated; if not, ROS has a focal length of 0, some drivers the identity."""
    return not (info.k[0] == 0 or np.array_equal(info.k.reshape(3, 3), np.eye(3)))


def _has_p(info: CameraInfo) -> bool:
    return not (info.p[0] == 0 or np.array_equal(info.p.reshape(3, 4), np.eye(3, 4)))


def _calibrated(
    info: CameraInfo, width: int, height: int, rectified: bool, may_scale: bool
) -> Intrinsics:
    try:
        lens, distortion = ("none", ()) if rectified else lens_of(info.distortion_model, info.d)
        camera = _camera(info, _matrix(info, rectified), lens, distortion, width, height)
    except CameraError as error:
        raise CameraInfoError("bad camera_info", str(error)) from error
    source = IntrinsicsSource.CAMERA_INFO
    is_p = rectified and _has_p(info)
    remarks: list[Remark] = []
    if not (info.width and info.height):
        remarks.append(
            Remark(
                "camera_info without a size",
                f"width and height are {info.width} and {info.height}; the image's are taken, "
                f"{width}x{height}",
            )
        )
    if not rectified and not is_known(info.distortion_model):
        remarks.append(
            Remark(
                "unknown distortion model",
                f"distortion model is '{info.distortion_model}', which is not known; D is zero, so "
                "it is taken for none",
            )
        )
    if (camera.width, camera.height) != (width, height):
        camera = _resized(info, camera, width, height, may_scale)
        source = IntrinsicsSource.SCALED_CAMERA_INFO
        remarks.append(
            Remark(
                "scaled camera_info",
                f"CameraInfo for {info.width}x{info.height} is scaled to {width}x{height} "
                "(scale_camera_info); distances are wrong where the driver cuts a part out",
            )
        )
    return Intrinsics(camera, source, (*remarks, *oddities(info, camera, is_p)))


def _matrix(info: CameraInfo, rectified: bool) -> np.ndarray:
    """Return the (3, 3) matrix that holds for the images.

    Raises:
        CameraError: the images are rectified, but P is missing and K does not hold for them.
    """
    if not rectified:
        return info.k.reshape(3, 3)
    if _has_p(info):
        return info.p.reshape(3, 4)[:, :3]
    is_turned = np.any(info.r) and not np.allclose(info.r.reshape(3, 3), np.eye(3), atol=1e-6)
    if any(info.d) or is_turned:
        raise CameraError(
            f"p[0] is {info.p[0]:g}, so the intrinsics of rectified images are not known, and K is "
            f"of the raw ones, for {'D' if any(info.d) else 'R'} is not trivial; have the driver "
            "publish P, or use the raw images with rectified set to false"
        )
    return info.k.reshape(3, 3)


def _camera(
    info: CameraInfo,
    matrix: np.ndarray,
    lens: str,
    distortion: tuple[float, ...],
    width: int,
    height: int,
) -> CameraModel:
    """Return the camera of the CameraInfo's images.

    width, height: those of the image, which are taken where the CameraInfo has none.

    Binning and region of interest move and shrink the image as in image_geometry:
    f' = f / binning, c' = (c - offset) / binning.
    """
    if matrix[2, 2] not in (0.0, 1.0) or matrix[1, 0] != 0 or matrix[2, 0] != 0 or matrix[2, 1]:
        raise CameraError(
            f"the matrix is {np.round(matrix, 3).tolist()}; it should be [[fx, skew, cx], "
            "[0, fy, cy], [0, 0, 1]], row by row"
        )
    roi = info.roi
    bins = np.array([info.binning_x or 1, info.binning_y or 1])
    stated = np.array([roi.width or info.width, roi.height or info.height])
    image_size = np.array([width, height])
    # Some drivers round up where a row or column is left over.
    is_rounded_up = (stated > 0) & (image_size == -(-stated // bins))
    size = np.where(is_rounded_up | (stated == 0), image_size, stated // bins)
    return CameraModel(
        int(size[0]),
        int(size[1]),
        fx=float(matrix[0, 0] / bins[0]),
        fy=float(matrix[1, 1] / bins[1]),
        cx=float((matrix[0, 2] - roi.x_offset) / bins[0]),
        cy=float((matrix[1, 2] - roi.y_offset) / bins[1]),
        lens=lens,
        distortion=distortion,
        skew=float(matrix[0, 1] / bins[0]),
    )


def _resized(
    info: CameraInfo, camera: CameraModel, width: int, height: int, may_scale: bool
) -> CameraModel:
    text = f"image is {width}x{height}, CameraInfo is for {camera.width}x{camera.height}"
    if info.binning_x > 1 or info.binning_y > 1 or info.roi.width or info.roi.height:
        text += (
            f" ({info.width}x{info.height}, binning {info.binning_x or 1}x{info.binning_y or 1}, "
            f"region of interest {info.roi.width}x{info.roi.height})"
        )
    reason = "size differs from camera_info"
    if (width, height) == (camera.height, camera.width):
        raise CameraInfoError(reason, f"{text}; the image is turned, so must be its calibration")
    if abs(math.log(width * camera.height / (height * camera.width))) > ASPECT_TOLERANCE:
        raise CameraInfoError(
            reason,
            f"{text}, which has another shape: the driver cuts a part out, and only a calibration "
            "at this resolution tells which",
        )
    if not may_scale:
        raise CameraInfoError(
            reason,
            f"{text}, which has the same shape; calibrate at this resolution, or set "
            "scale_camera_info to true where the driver scales the whole picture",
        )
    return camera.resized(width, height, SCALED_SIGMA)
