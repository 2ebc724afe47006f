"""Remarks on a usable CameraInfo that is probably a mistake, or of an unusual camera."""

from __future__ import annotations

import math

from sensor_msgs.msg import CameraInfo

from hamer_ros.camera.model import CameraModel
from hamer_ros.hands import Remark

FAR_FROM_MIDDLE = 0.2
"""Share of the image by which a principal point may be off its centre; lenses are centred to a few
hundredths."""

NEAR_MIDDLE = 0.07
"""The same share for a guess at what is wrong with the principal point."""

UNEQUAL = 0.1
"""Relative difference of fx and fy beyond which resolutions may have been mixed up."""

FIELD_OF_VIEW = (5.0, 150.0)
"""Degrees from left to right that pinhole cameras see."""


def oddities(info: CameraInfo, camera: CameraModel, is_p: bool) -> tuple[Remark, ...]:
    """Return the remarks on a CameraInfo.

    camera: the camera that it was converted to, of the image's size.
    is_p: P was used, not K.
    """
    remarks = (
        Remark("principal point far from the middle", _far_from_middle(info, camera, is_p)),
        Remark("unequal focal lengths", _unequal(camera)),
        Remark("implausible field of view", _field_of_view(camera)),
        Remark("second camera of a stereo pair", _stereo(info, is_p)),
    )
    return tuple(remark for remark in remarks if remark.text)


def _far_from_middle(info: CameraInfo, camera: CameraModel, is_p: bool) -> str:
    cx, cy = (info.p[2], info.p[6]) if is_p else (info.k[2], info.k[5])
    # Before binning and region of interest: a region may well lie in a corner.
    width, height = info.width or camera.width, info.height or camera.height

    def offset(factor_x: float, factor_y: float) -> float:
        return max(abs(factor_x * cx / width - 0.5), abs(factor_y * cy / height - 0.5))

    if offset(1, 1) <= FAR_FROM_MIDDLE:
        return ""
    text = (
        f"the principal point is {camera.cx:.0f}, {camera.cy:.0f} in an image of "
        f"{camera.width}x{camera.height}, far from its middle, so distances and directions are "
        "probably wrong"
    )
    bins = info.binning_x or 1, info.binning_y or 1
    if max(bins) > 1 and offset(*bins) < NEAR_MIDDLE:
        return (
            f"{text}; {'P' if is_p else 'K'} seems to be of the binned image already, and binning "
            f"{bins[0]}x{bins[1]} shrinks it once more: have the driver publish binning 1, or the "
            "full image's matrix"
        )
    for factor in (2, 1.5, 3, 4, 0.5, 2 / 3, 1 / 3, 0.25):
        if offset(factor, factor) < NEAR_MIDDLE:
            return (
                f"{text}; it would be right for {width / factor:.0f}x{height / factor:.0f}: is "
                "that the resolution that was calibrated?"
            )
    if info.roi.x_offset or info.roi.y_offset:
        return f"{text}; is the region of interest in the matrix already?"
    return f"{text}; is this the calibration of this camera?"


def _unequal(camera: CameraModel) -> str:
    if abs(math.log(camera.fx / camera.fy)) <= UNEQUAL:
        return ""
    return (
        f"fx is {camera.fx:g} and fy {camera.fy:g}: pixels {camera.fy / camera.fx:.2f} times as "
        "wide as high; right for a squeezed video mode, else the calibration is of another one"
    )


def _field_of_view(camera: CameraModel) -> str:
    if camera.lens == "equidistant":
        return ""
    left = math.atan((camera.cx + 0.5) / camera.fx)
    right = math.atan((camera.width - 0.5 - camera.cx) / camera.fx)
    degrees = math.degrees(left + right)
    if FIELD_OF_VIEW[0] <= degrees <= FIELD_OF_VIEW[1]:
        return ""
    return (
        f"with fx {camera.fx:g} an image of {camera.width} pixels sees {degrees:.3g} degrees from "
        "left to right; is fx in pixels, and of this resolution?"
    )


def _stereo(info: CameraInfo, is_p: bool) -> str:
    # -fx times the baseline in metres
    if not is_p or abs(info.p[3] / info.p[0]) < 1e-4:
        return ""
    return (
        f"p[3] is {info.p[3]:g}: this camera stands {-info.p[3] / info.p[0]:.3f} m to the right of "
        "the first one; hands are placed from its own optical centre, so frame_id must be its own"
    )
