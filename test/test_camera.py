"""From metres to pixels and back, against OpenCV and finite differences."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamer_ros.camera.model import CameraError, CameraModel

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
THIN_PRISM = dataclasses.replace(
    PLUMB_BOB,
    lens="rational_polynomial",
    distortion=(0.4, -0.3, 7e-4, 1e-4, 0.02, 0.38, -0.28, 0.015, 6e-4, -1e-4, -4e-4, 2e-4),
)
TILTED = dataclasses.replace(THIN_PRISM, distortion=(*THIN_PRISM.distortion, 0.03, -0.05))
SKEWED = dataclasses.replace(PLUMB_BOB, skew=25.0)
CAMERAS = {
    "thin prism": THIN_PRISM,
    "tilted": TILTED,
    "skewed": SKEWED,
    "none": PINHOLE,
    "plumb_bob": PLUMB_BOB,
    "rational": RATIONAL,
    "equidistant": FISHEYE,
}

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
    if camera.skew:  # which OpenCV does not know: a plane without it, then the whole matrix
        unit, _ = cv2.projectPoints(points, zero, zero, np.eye(3), distortion)
        expected = cv2.convertPointsToHomogeneous(unit) @ camera.matrix.T
        np.testing.assert_allclose(camera.project(points), expected[:, 0, :2], atol=1e-8)
        return
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
        ({"skew": float("nan")}, "skew is nan"),
        ({"skew": -700.0}, "skew is -700.0; it is at most the smaller of fx and fy, 600, either"),
        ({"fy": 500.0, "skew": 550.0}, "skew is 550.0; .* the smaller of fx and fy, 500, either"),
        (
            {"height": 6400, "skew": 100.0},
            "skew is 100 and fy is 600: the last row would be moved by 1066 pixels against the "
            "first, at most the width, 640",
        ),
        ({"fx": 60000.0, "skew": 60000.0}, "fx is 60000 and fy is 600; pixels are at most 10 tim"),
        ({"fx": 59.0}, "fx is 59 and fy is 600"),
        ({"focal_sigma": -0.1}, "focal_sigma is -0.1"),
        ({"lens": "magic"}, "'magic'; known are: none, plumb_bob"),
        ({"lens": "plumb_bob", "distortion": (0.1,)}, "1 distortion coefficients; needs 0 or 4"),
        ({"lens": "equidistant", "distortion": (0.1, 0, 0, float("nan"))}, "must be finite"),
    ],
)
def test_unusable_intrinsics_are_refused_by_name(change, complaint):
    good = {"width": 640, "height": 480, "fx": 600.0, "fy": 600.0, "cx": 320.0, "cy": 240.0}
    with pytest.raises(CameraError, match=complaint):
        CameraModel(**(good | change))


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


@pytest.mark.parametrize("camera", [PLUMB_BOB, RATIONAL, THIN_PRISM, TILTED])
def test_undistorting_is_opencvs(camera):
    pixels = camera.project(points_in_view(camera))
    few = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 200, 1e-14)
    distortion = np.array(camera.distortion)
    plane = cv2.undistortPointsIter(pixels[:, None], camera.matrix, distortion, None, None, few)
    rays = camera.unproject(pixels)
    np.testing.assert_allclose(rays[:, :2] / rays[:, 2:], plane[:, 0], atol=1e-7)


def test_a_skewed_camera_sees_the_sheared_picture():
    straight, skewed = dataclasses.replace(PINHOLE), dataclasses.replace(PINHOLE, skew=30.0)
    points = points_in_view(PINHOLE)
    seen = straight.project(points)
    sheared = seen + np.outer(seen[:, 1] - PINHOLE.cy, [30.0 / PINHOLE.fy, 0.0])
    np.testing.assert_allclose(skewed.project(points), sheared, atol=1e-9)
    np.testing.assert_allclose(skewed.unproject(sheared), straight.unproject(seen), atol=1e-12)


@every_lens
def test_a_mirrored_camera_sees_the_mirrored_world_in_the_flipped_picture(camera):
    points = points_in_view(camera)
    flipped = camera.project(points) * [-1, 1] + [camera.width - 1, 0]
    mirrored = camera.mirrored()
    np.testing.assert_allclose(mirrored.project(points * [-1, 1, 1]), flipped, atol=1e-8)
    assert mirrored.mirrored().project(points) == pytest.approx(camera.project(points))


def test_a_flipped_picture_shows_a_dot_where_the_mirrored_camera_does():
    point = np.array([[0.1, -0.05, 0.6]])
    picture = np.zeros((PLUMB_BOB.height, PLUMB_BOB.width), np.uint8)
    u, v = PLUMB_BOB.project(point)[0].round().astype(int)
    picture[v, u] = 255
    v, u = np.argwhere(cv2.flip(picture, 1))[0]
    np.testing.assert_allclose(
        PLUMB_BOB.mirrored().project(point * [-1, 1, 1])[0], [u, v], atol=0.51
    )


@pytest.mark.parametrize("camera", [PINHOLE, PLUMB_BOB, RATIONAL, THIN_PRISM, FISHEYE])
def test_a_turned_camera_sees_the_turned_world_in_the_turned_picture(camera):
    points = points_in_view(camera)
    u, v = camera.project(points).T
    turned = np.stack([camera.height - 1 - v, u], 1)  # as cv2.ROTATE_90_CLOCKWISE does it
    x, y, z = points.T
    np.testing.assert_allclose(camera.turned().project(np.stack([-y, x, z], 1)), turned, atol=1e-8)
    assert (camera.turned().width, camera.turned().height) == (camera.height, camera.width)


@pytest.mark.parametrize("camera", [TILTED, SKEWED])
def test_a_camera_that_cannot_be_turned_says_so(camera):
    with pytest.raises(CameraError, match="cannot be turned"):
        camera.turned()


@every_lens
def test_a_camera_of_the_resized_picture_sees_what_resizing_makes_of_it(camera):
    resized = camera.resized(2 * camera.width, 3 * camera.height, focal_sigma=0.05)
    points = points_in_view(camera)
    # Where the area of a pixel goes, from its outer corner on, as cv2.resize does it.
    expected = (camera.project(points) + 0.5) * [2, 3] - 0.5
    np.testing.assert_allclose(resized.project(points), expected, atol=1e-8)
    assert (camera.focal_sigma, resized.focal_sigma) == (0.0, 0.05)


def test_how_sure_a_focal_length_is_stays_with_the_camera():
    camera = CameraModel.from_fov(640, 480, 1.0, focal_sigma=0.15)
    for other in (camera.mirrored(), camera.turned(), camera.resized(320, 240)):
        assert other.focal_sigma == 0.15
