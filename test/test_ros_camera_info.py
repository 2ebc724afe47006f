"""CameraInfo -> CameraModel: raw and rectified, binned and cropped, or refused."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sensor_msgs", reason="needs ROS 2")

from sensor_msgs.msg import CameraInfo, RegionOfInterest

from hamer_ros.camera import CameraError
from hamer_ros.ros.camera_info import UncalibratedError, camera_from_info


def info(**change) -> CameraInfo:
    fields = {
        "width": 1280,
        "height": 720,
        "distortion_model": "plumb_bob",
        "d": [-0.2, 0.05, 0.001, -0.002, 0.0],
        "k": [900.0, 0.0, 650.0, 0.0, 905.0, 355.0, 0.0, 0.0, 1.0],
        "p": [850.0, 0.0, 640.0, 0.0, 0.0, 855.0, 350.0, 0.0, 0.0, 0.0, 1.0, 0.0],
    }
    return CameraInfo(**(fields | change))


def test_a_raw_image_has_k_and_d():
    camera = camera_from_info(info(), rectified=False)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (900, 905, 650, 355)
    assert camera.lens == "plumb_bob"
    assert camera.distortion == (-0.2, 0.05, 0.001, -0.002, 0.0)


def test_a_rectified_image_has_p_and_no_distortion():
    camera = camera_from_info(info(), rectified=True)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (850, 855, 640, 350)
    assert camera.is_pinhole


def test_a_point_is_where_the_cropped_and_binned_image_shows_it():
    """The ideal pixel of the full image, then the crop, then the binning."""
    whole = camera_from_info(info(), rectified=False)
    roi = RegionOfInterest(x_offset=200, y_offset=100, width=800, height=400)
    part = camera_from_info(info(binning_x=2, binning_y=4, roi=roi), rectified=False)
    assert (part.width, part.height) == (400, 100)
    points = np.array([[0.05, -0.02, 0.5], [-0.1, 0.05, 0.8]])
    expected = (whole.project(points) - [200, 100]) / [2, 4]
    np.testing.assert_allclose(part.project(points), expected, atol=1e-9)


def test_no_distortion_is_a_pinhole_whatever_it_is_called():
    for model, d in (("", []), ("plumb_bob", [0.0] * 5), ("none", [])):
        camera = camera_from_info(info(distortion_model=model, d=d), rectified=False)
        assert camera.is_pinhole


def test_a_fisheye_without_coefficients_still_bends():
    camera = camera_from_info(info(distortion_model="equidistant", d=[0.0] * 4), rectified=False)
    assert camera.lens == "equidistant"
    assert not camera.is_pinhole


@pytest.mark.parametrize("rectified", [False, True])
def test_an_uncalibrated_camera_is_called_so(rectified):
    with pytest.raises(UncalibratedError, match="is not calibrated"):
        camera_from_info(CameraInfo(width=640, height=480), rectified=rectified)


@pytest.mark.parametrize(
    "change",
    [
        {"k": [float("nan"), 0.0, 650.0, 0.0, 905.0, 355.0, 0.0, 0.0, 1.0]},
        {"k": [900.0, 0.0, 650.0, 0.0, -905.0, 355.0, 0.0, 0.0, 1.0]},
        {"d": [0.1]},
        {"d": [float("inf")] * 5},
        {"distortion_model": "thin_prism"},
        {"width": 0},
    ],
)
def test_numbers_that_cannot_be_right_are_refused(change):
    with pytest.raises(CameraError):
        camera_from_info(info(**change), rectified=False)
