"""CameraInfo -> the camera of an image: raw and rectified, binned and cropped, odd or refused."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sensor_msgs", reason="needs ROS 2")

from sensor_msgs.msg import CameraInfo, RegionOfInterest

from hamer_ros.camera.model import GUESS_SIGMA, CameraError
from hamer_ros.hands import IntrinsicsSource
from hamer_ros.ros.input.camera_info import (
    SCALED_SIGMA,
    CameraInfoError,
    Intrinsics,
    read_intrinsics,
)

K = [900.0, 0.0, 650.0, 0.0, 905.0, 355.0, 0.0, 0.0, 1.0]
P = [850.0, 0.0, 640.0, 0.0, 0.0, 855.0, 350.0, 0.0, 0.0, 0.0, 1.0, 0.0]
NO_P = [0.0] * 12
NO_K = [0.0] * 9


def info(**change) -> CameraInfo:
    fields = {
        "width": 1280,
        "height": 720,
        "distortion_model": "plumb_bob",
        "d": [-0.2, 0.05, 0.001, -0.002, 0.0],
        "k": K,
        "p": P,
    }
    return CameraInfo(**(fields | change))


def read(message: CameraInfo | None, size: tuple[int, int] = (1280, 720), **options) -> Intrinsics:
    usual = {
        "rectified": False,
        "scale_camera_info": False,
        "mirrored": False,
        "assumed_horizontal_fov": 0.0,
    }
    return read_intrinsics(message, *size, **(usual | options))


def subjects(intrinsics: Intrinsics) -> list[str]:
    return [subject for subject, _ in intrinsics.remarks]


def refusal(message: CameraInfo | None, *size: tuple[int, int], **options) -> tuple[str, str]:
    with pytest.raises(CameraInfoError) as error:
        read(message, *size, **options)
    return error.value.reason, str(error.value)


def test_a_raw_image_has_k_and_d():
    intrinsics = read(info())
    camera = intrinsics.camera
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (900, 905, 650, 355)
    assert camera.lens == "plumb_bob"
    assert camera.distortion == (-0.2, 0.05, 0.001, -0.002, 0.0)
    assert (intrinsics.source, intrinsics.remarks) == (IntrinsicsSource.CAMERA_INFO, ())
    assert camera.focal_sigma == 0


def test_a_rectified_image_has_p_and_no_distortion():
    camera = read(info(), rectified=True).camera
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (850, 855, 640, 350)
    assert camera.is_pinhole


def test_skew_is_in_k_and_in_p():
    k, p = [*K], [*P]
    k[1], p[1] = 12.0, 7.0
    assert read(info(k=k)).camera.skew == 12
    assert read(info(p=p), rectified=True).camera.skew == 7
    assert read(info(k=k, binning_x=2, binning_y=2), (640, 360)).camera.skew == 6


def test_a_point_is_where_the_cropped_and_binned_image_shows_it():
    """The ideal pixel of the full image, then the crop, then the binning."""
    whole = read(info()).camera
    roi = RegionOfInterest(x_offset=200, y_offset=100, width=800, height=400)
    intrinsics = read(info(binning_x=2, binning_y=4, roi=roi), (400, 100))
    part = intrinsics.camera
    points = np.array([[0.05, -0.02, 0.5], [-0.1, 0.05, 0.8]])
    expected = (whole.project(points) - [200, 100]) / [2, 4]
    np.testing.assert_allclose(part.project(points), expected, atol=1e-9)


def test_a_row_that_binning_leaves_over_may_be_there_or_not():
    odd = info(height=721, binning_x=2, binning_y=2)
    for height in (360, 361):
        assert read(odd, (640, height)).camera.height == height


def test_a_region_in_the_corner_is_nothing_odd():
    roi = RegionOfInterest(x_offset=0, y_offset=0, width=320, height=200)
    assert read(info(roi=roi), (320, 200)).remarks == ()


def test_a_fisheye_with_a_fifth_zero_is_taken():
    d = [0.01, -0.004, 0.002, -0.0005]
    for given in (d, [*d, 0.0]):
        camera = read(info(distortion_model="fisheye", d=given)).camera
        assert (camera.lens, camera.distortion) == ("equidistant", tuple(d))


def test_an_unknown_model_without_coefficients_is_none_and_remarked():
    intrinsics = read(info(distortion_model="magic", d=[0.0] * 5))
    assert intrinsics.camera.is_pinhole
    assert subjects(intrinsics) == ["unknown distortion model"]


def test_without_camera_info_there_is_a_guess_or_a_refusal():
    assert refusal(None)[0] == "no camera_info"
    intrinsics = read(None, (640, 480), assumed_horizontal_fov=60.0)
    assert intrinsics.source == IntrinsicsSource.ASSUMED_FIELD_OF_VIEW
    assert intrinsics.camera.fx == pytest.approx(320 / np.tan(np.pi / 6))
    assert intrinsics.camera.focal_sigma == GUESS_SIGMA
    ((subject, text),) = intrinsics.remarks
    assert subject == "guessed intrinsics"
    assert "60 degrees" in text
    assert "15 %" in text


UNIT = {"k": np.eye(3).ravel().tolist(), "p": np.eye(3, 4).ravel().tolist()}


@pytest.mark.parametrize("rectified", [False, True])
@pytest.mark.parametrize("change", [{}, UNIT], ids=["zeros", "identity"])
def test_an_uncalibrated_camera_is_called_so(rectified, change):
    empty = CameraInfo(width=640, height=480, **change)
    reason, text = refusal(empty, (640, 480), rectified=rectified)
    assert reason == "uncalibrated camera"
    assert "is not calibrated; calibrate the camera" in text
    guess = read(empty, (640, 480), rectified=rectified, assumed_horizontal_fov=60.0)
    assert guess.source == IntrinsicsSource.ASSUMED_FIELD_OF_VIEW


def test_k_serves_rectified_images_where_p_is_empty_and_d_zero():
    for r in ([0.0] * 9, np.eye(3).ravel().tolist()):
        intrinsics = read(info(p=NO_P, d=[0.0] * 5, r=r), rectified=True)
        assert (intrinsics.camera.fx, intrinsics.camera.cx) == (900, 650)
        assert intrinsics.remarks == ()


@pytest.mark.parametrize(
    "change", [{}, {"d": [], "r": [0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]}]
)
def test_k_does_not_serve_where_rectification_changes_the_image(change):
    reason, text = refusal(info(p=NO_P, **change), rectified=True)
    assert reason == "bad camera_info"
    assert "have the driver publish P" in text


def test_p_without_k_names_the_parameter_rectified():
    reason, text = refusal(info(k=NO_K))
    assert reason == "uncalibrated camera"
    assert "k[0] is 0, so the camera is not calibrated" in text
    assert "set rectified to true" in text
    assert read(info(k=NO_K), rectified=True).camera.fx == 850


def test_a_camera_info_without_a_size_is_of_the_images_size():
    intrinsics = read(info(width=0, height=0))
    assert (intrinsics.camera.width, intrinsics.camera.height) == (1280, 720)
    assert subjects(intrinsics) == ["camera_info without a size"]


def test_another_resolution_of_the_same_shape_is_scaled_where_that_is_wanted():
    reason, text = refusal(info(), (640, 360))
    assert reason == "size differs from camera_info"
    assert "image is 640x360, CameraInfo is for 1280x720" in text
    assert "set scale_camera_info to true" in text

    intrinsics = read(info(), (640, 360), scale_camera_info=True)
    camera = intrinsics.camera
    assert intrinsics.source == IntrinsicsSource.SCALED_CAMERA_INFO
    assert camera.focal_sigma == SCALED_SIGMA
    assert subjects(intrinsics) == ["scaled camera_info"]
    # The outer corner of the image stays where it is, not the middle of its first pixel.
    assert (camera.fx, camera.cx) == (450, (650 + 0.5) / 2 - 0.5)
    assert read(info(), (848, 480), scale_camera_info=True).camera.height == 480


@pytest.mark.parametrize("size", [(640, 480), (1280, 800), (720, 1280)])
def test_another_shape_is_refused_even_then(size):
    reason, text = refusal(info(), size, scale_camera_info=True)
    assert reason == "size differs from camera_info"
    assert "cuts a part out" in text or "is turned" in text


def test_binning_that_the_image_does_not_have_is_named():
    _, text = refusal(info(binning_x=2, binning_y=2), (1280, 720))
    assert "640x360 (1280x720, binning 2x2" in text


@pytest.mark.parametrize(
    ("change", "size", "words"),
    [
        (
            {"k": [225.0, 0, 160, 0, 225, 90, 0, 0, 1], "binning_x": 4, "binning_y": 4},
            (320, 180),
            "K seems to be of the binned image already, and binning 4x4",
        ),
        ({"k": [450.0, 0, 320, 0, 450, 180, 0, 0, 1]}, (1280, 720), "right for 640x360"),
        ({"k": [1800.0, 0, 1280, 0, 1800, 720, 0, 0, 1]}, (1280, 720), "right for 2560x1440"),
        ({"k": [900.0, 0, 20, 0, 900, 700, 0, 0, 1]}, (1280, 720), "principal point is 20, 700"),
    ],
)
def test_a_principal_point_far_from_the_middle_is_remarked_with_its_likely_cause(
    change, size, words
):
    ((subject, text),) = read(info(d=[], **change), size).remarks
    assert subject == "principal point far from the middle"
    assert words in text


@pytest.mark.parametrize(
    ("k", "subject"),
    [
        ([1200.0, 0, 650, 0, 900, 355, 0, 0, 1], "unequal focal lengths"),
        ([20000.0, 0, 650, 0, 20000, 355, 0, 0, 1], "implausible field of view"),
        ([60.0, 0, 650, 0, 60, 355, 0, 0, 1], "implausible field of view"),
    ],
)
def test_a_strange_focal_length_is_remarked(k, subject):
    assert subjects(read(info(k=k, d=[]))) == [subject]


def test_the_second_camera_of_a_stereo_pair_is_remarked():
    p = [*P]
    p[3] = -850 * 0.12
    ((subject, text),) = read(info(p=p), rectified=True).remarks
    assert subject == "second camera of a stereo pair"
    assert "0.120 m to the right" in text
    assert read(info(p=p)).remarks == ()


@pytest.mark.parametrize("rectified", [False, True])
def test_a_mirrored_camera_is_that_of_the_image_turned_back(rectified):
    plain = read(info(), rectified=rectified).camera
    assert read(info(), rectified=rectified, mirrored=True).camera == plain.mirrored()


@pytest.mark.parametrize(
    "change",
    [
        {"k": [float("nan"), 0.0, 650.0, 0.0, 905.0, 355.0, 0.0, 0.0, 1.0]},
        {"k": [900.0, 0.0, 650.0, 0.0, -905.0, 355.0, 0.0, 0.0, 1.0]},
        {"k": [900.0, 0.0, 0.0, 0.0, 905.0, 0.0, 650.0, 355.0, 1.0]},
        {"d": [0.1]},
        {"d": [float("inf")] * 5},
        {"k": [6e6, 6e6, 640.0, 0.0, 300.0, 360.0, 0.0, 0.0, 1.0]},
        {"k": [60_000.0, 60_000.0, 640.0, 0.0, 100.0, 360.0, 0.0, 0.0, 1.0]},
        {"k": [900.0, 0.0, 640.0, 0.0, 60.0, 360.0, 0.0, 0.0, 1.0]},
        {"distortion_model": "rational_polynomial", "d": [0.01] * 6},
        {"distortion_model": "thin_prism"},
        {"distortion_model": ""},
        {"distortion_model": "inverse_brown_conrady"},
    ],
)
def test_numbers_that_cannot_be_right_are_refused(change):
    assert refusal(info(**change))[0] == "bad camera_info"


def test_an_image_without_a_size_is_no_fault_of_the_camera_info():
    with pytest.raises(CameraError, match="0x0"):
        read(None, (0, 0), assumed_horizontal_fov=60.0)
