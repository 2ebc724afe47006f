"""From metres to pixels and back, against OpenCV and finite differences."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamer_ros.camera import CameraError, CameraModel

PINHOLE = CameraModel(640, 480, 600.0, 610.0, 315.0, 247.0)
PLUMB_BOB = CameraModel(
    640, 480, 600.0, 610.0, 315.0, 247.0, "plumb_bob", (-0.28, 0.09, 1e-3, -5e-4, -0.01)
)
RATIONAL = CameraModel(
    1280,
    720,
    620.0,
    615.0,
    640.0,
    360.0,
    "rational_polynomial",
    (4.1, 2.3, 1e-4, -2e-4, 0.12, 4.4, 3.6, 0.6),
)
FISHEYE = CameraModel(
    800, 800, 290.0, 291.0, 402.0, 398.0, "equidistant", (-0.01, 0.02, -0.015, 0.003)
)
CAMERAS = {"none": PINHOLE, "plumb_bob": PLUMB_BOB, "rational": RATIONAL, "equidistant": FISHEYE}

every_lens = pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS)


def points_in_view(camera: CameraModel, n: int = 200) -> np.ndarray:
    rng = np.random.default_rng(7)
    half_angle = 0.9 * np.arctan(0.5 * camera.width / camera.fx)
    x, y = np.tan(half_angle * rng.uniform(-1, 1, (2, n)))
    return np.stack([x, y, np.ones(n)], 1) * rng.uniform(0.2, 3.0, (n, 1))


@every_lens
def test_projection_is_opencvs(camera):
    points = points_in_view(camera)
    distortion = np.array(camera.distortion)
    zero = np.zeros(3)
    if camera.lens == "equidistant":
        expected, _ = cv2.fisheye.projectPoints(
            points[:, None], zero, zero, camera.matrix, distortion
        )
    else:
        expected, _ = cv2.projectPoints(points, zero, zero, camera.matrix, distortion)
    np.testing.assert_allclose(camera.project(points), expected[:, 0], atol=1e-8)


@every_lens
def test_the_derivative_is_the_finite_difference(camera):
    points = points_in_view(camera)
    _, jacobian = camera.project_with_jacobian(points)
    h = 1e-6
    for axis in range(3):
        step = h * np.eye(3)[axis]
        numeric = (camera.project(points + step) - camera.project(points - step)) / (2 * h)
        np.testing.assert_allclose(jacobian[..., axis], numeric, rtol=1e-5, atol=1e-3)


@every_lens
def test_unprojecting_undoes_projecting(camera):
    points = points_in_view(camera)
    directions = points / np.linalg.norm(points, axis=1, keepdims=True)
    np.testing.assert_allclose(camera.unproject(camera.project(points)), directions, atol=1e-10)


@every_lens
def test_a_view_keeps_the_scale_of_the_image(camera):
    pixel = np.array([0.3 * camera.width, 0.6 * camera.height])
    view = camera.view_towards(pixel)
    np.testing.assert_allclose(view.rotation @ view.rotation.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(view.rotation[:, 2], camera.unproject(pixel), atol=1e-12)
    # A small square of pixels keeps its area in the view.
    square = pixel + 0.01 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1.0]])
    rays = camera.unproject(square) @ view.rotation
    corners = view.focal * rays[:, :2] / rays[:, 2:]
    assert cv2.contourArea(corners.astype(np.float32)) == pytest.approx(0.02**2, rel=1e-3)


@given(st.floats(0.2, 2.5), st.integers(16, 4000), st.integers(16, 4000))
def test_a_guessed_camera_spans_its_field_of_view(fov, width, height):
    camera = CameraModel.from_fov(width, height, fov)
    edges = camera.unproject(np.array([[-0.5, camera.cy], [width - 0.5, camera.cy]]))
    assert np.arccos(np.clip(edges[0] @ edges[1], -1, 1)) == pytest.approx(fov, abs=1e-6)


def test_what_lies_behind_has_no_pixel():
    pixels = PINHOLE.project(np.array([[0.1, 0.1, -0.5], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
    assert np.isnan(pixels[:2]).all()
    np.testing.assert_array_equal(pixels[2], [PINHOLE.cx, PINHOLE.cy])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"fx": 0.0}, "fx is 0.0"),
        ({"fy": float("nan")}, "fy is nan"),
        ({"cx": float("inf")}, "cx is inf"),
        ({"width": 0}, "0x480"),
        ({"lens": "magic"}, "'magic'; known are: none, plumb_bob"),
        ({"lens": "plumb_bob", "distortion": (0.1,)}, "1 distortion coefficients; needs 0 or 4"),
        ({"lens": "equidistant", "distortion": (0.1, 0, 0, float("nan"))}, "must be finite"),
    ],
)
def test_unusable_intrinsics_are_refused_by_name(change, complaint):
    good = {"width": 640, "height": 480, "fx": 600.0, "fy": 600.0, "cx": 320.0, "cy": 240.0}
    with pytest.raises(CameraError, match=complaint):
        CameraModel(**(good | change))


def test_a_calibration_file_is_read(tmp_path):
    file = tmp_path / "camera.yaml"
    file.write_text(
        "image_width: 640\nimage_height: 480\ncamera_name: c\n"
        "camera_matrix: {rows: 3, cols: 3, data: [600, 0, 315, 0, 610, 247, 0, 0, 1]}\n"
        "distortion_model: plumb_bob\n"
        "distortion_coefficients: {rows: 1, cols: 5, data: [-0.28, 0.09, 0.001, -0.0005, -0.01]}\n"
    )
    assert CameraModel.from_yaml(file) == PLUMB_BOB


def test_a_calibration_file_without_a_field_is_named(tmp_path):
    file = tmp_path / "camera.yaml"
    file.write_text("image_width: 640\n")
    with pytest.raises(CameraError, match=r"camera.yaml.*camera_matrix"):
        CameraModel.from_yaml(file)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"fx": 5e-324}, "fx is 4.94066e-324 and cx is 315"),
        ({"fy": 1e300}, "no camera sees"),
        ({"cx": 1e9}, "cx is 1e.09, in an image whose width is 640"),
        ({"lens": "plumb_bob", "distortion": (0.0, 1e300, 0.0, 0.0, 0.0)}, "it can be undone in"),
        ({"lens": "plumb_bob", "distortion": (-50.0, 0.0, 0.0, 0.0)}, "at least 25 % is needed"),
        ({"lens": "equidistant", "distortion": (0.0, 0.0, 0.0, -1e300)}, "equidistant"),
    ],
)
def test_numbers_that_no_camera_has_are_refused(change, complaint):
    good = {"width": 640, "height": 480, "fx": 600.0, "fy": 610.0, "cx": 315.0, "cy": 247.0}
    with pytest.raises(CameraError, match=complaint):
        CameraModel(**(good | change))


@every_lens
def test_every_pixel_has_a_ray_even_far_outside_of_the_calibrated_field(camera):
    pixels = np.random.default_rng(3).uniform(-1e4, 1e4, (500, 2))
    assert np.isfinite(camera.unproject(pixels)).all()
