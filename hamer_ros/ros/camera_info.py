"""sensor_msgs/CameraInfo -> CameraModel."""

from __future__ import annotations

from sensor_msgs.msg import CameraInfo

from hamer_ros.camera import CameraError, CameraModel


class UncalibratedError(CameraError):
    """The camera driver publishes CameraInfo, but nobody has calibrated the camera."""


def camera_from_info(info: CameraInfo, *, rectified: bool) -> CameraModel:
    """The intrinsics of the images that come with this CameraInfo.

    rectified: whether the images are; then P holds and there is no distortion, else K and D.

    Binning and region of interest move and shrink the image as in image_geometry:
    f' = f / binning, c' = (c - offset) / binning.

    Raises:
        UncalibratedError: the focal length is zero, ROS' sign for an uncalibrated camera.
        CameraError: any other value that cannot be right.
    """
    if rectified:
        name, fx, fy, cx, cy = "p", info.p[0], info.p[5], info.p[2], info.p[6]
    else:
        name, fx, fy, cx, cy = "k", info.k[0], info.k[4], info.k[2], info.k[5]
    if fx == 0.0:
        raise UncalibratedError(f"{name}[0] is 0, so the camera is not calibrated")
    width, height = info.roi.width or info.width, info.roi.height or info.height
    bin_x, bin_y = info.binning_x or 1, info.binning_y or 1
    lens = "none"
    distortion: tuple[float, ...] = ()
    if not rectified and any(info.d):
        lens, distortion = info.distortion_model, tuple(info.d)
    elif not rectified and info.distortion_model == "equidistant":
        lens = "equidistant"
    return CameraModel(
        width // bin_x,
        height // bin_y,
        fx=float(fx) / bin_x,
        fy=float(fy) / bin_y,
        cx=(float(cx) - info.roi.x_offset) / bin_x,
        cy=(float(cy) - info.roi.y_offset) / bin_y,
        lens=lens,
        distortion=distortion,
    )
