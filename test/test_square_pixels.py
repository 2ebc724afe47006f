"""Images of squeezed and skewed cameras, made square and told of in their own pixels again."""

from __future__ import annotations

import dataclasses
import math

import cv2
import numpy as np
import pytest
from helpers import MODEL, hand_at
from hypothesis import example, given
from hypothesis import strategies as st

from hamer_ros.camera.model import CameraError, CameraModel
from hamer_ros.detection.external import ExternalDetector
from hamer_ros.geometry.rotations import exp_so3
from hamer_ros.hands import ExternalBox, Frame, Handedness
from hamer_ros.pipeline import HandPipeline
from hamer_ros.rendering.clip import INTRINSICS, clip_frame
from hamer_ros.square_pixels import square_pixels

SQUARE = CameraModel(640, 480, 600.0, 600.0, 320.0, 240.0)
WIDE = CameraModel(853, 480, 800.0, 600.0, 426.0, 240.0)
NARROW = CameraModel(480, 480, 450.0, 600.0, 240.0, 240.0)
SKEWED = dataclasses.replace(SQUARE, skew=40.0)
BENT = dataclasses.replace(
    WIDE, skew=-35.0, lens="plumb_bob", distortion=(-0.1, 0.05, 0.001, 0.002)
)
UNEQUAL = {"wide": WIDE, "narrow": NARROW, "skewed": SKEWED, "bent": BENT}

unequal = pytest.mark.parametrize("camera", UNEQUAL.values(), ids=UNEQUAL)


@pytest.mark.parametrize("fx", [600.0, 603.0])
def test_pixels_that_are_square_are_left_alone(fx):
    assert square_pixels(dataclasses.replace(SQUARE, fx=fx)) is None


@unequal
def test_the_resampled_image_shows_everything_with_square_pixels(camera):
    square = square_pixels(camera)
    assert square.camera.fx == pytest.approx(square.camera.fy, rel=2e-3)
    assert square.camera.skew == 0
    assert square.camera.width * square.camera.height == pytest.approx(
        camera.width * camera.height, rel=0.1
    )
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * [camera.width - 1, camera.height - 1]
    moved = corners @ square.to_square[:, :2].T + square.to_square[:, 2]
    limits = [square.camera.width - 0.5, square.camera.height - 0.5]
    assert (moved > -0.5).all()
    assert (moved < limits).all()


@unequal
def test_a_point_is_where_its_camera_says(camera):
    square = square_pixels(camera)
    points = np.random.default_rng(0).uniform([-0.2, -0.2, 0.8], [0.2, 0.2, 1.2], (50, 3))
    expected = camera.project(points) @ square.to_square[:, :2].T + square.to_square[:, 2]
    np.testing.assert_allclose(square.camera.project(points), expected, atol=1e-9)


@given(
    *(st.integers(1, 5000) for _ in range(2)),
    *(st.floats(-6, 6) for _ in range(2)),
    st.floats(-1, 1),
)
@example(1280, 720, math.log10(6e6 / 1280), math.log10(300 / 720), 1.0)
@example(1280, 720, math.log10(60_000 / 1280), math.log10(100 / 720), 1.0)
@example(1, 5000, 0.0, 0.0, 1.0)
def test_no_camera_that_is_accepted_makes_many_more_pixels(width, height, across, down, skew):
    """An image of them is made in memory, so one absurd CameraInfo could take all of it."""
    fx, fy = 10**across * width, 10**down * height
    try:
        camera = CameraModel(width, height, fx, fy, 0.5 * width, 0.5 * height, skew=skew * fx)
    except CameraError:
        return
    square = square_pixels(camera)
    if square is not None:
        # Rounding adds a row and a column of up to three times their length each.
        pixels = square.camera.width * square.camera.height
        assert pixels <= 2 * width * height + 4 * (width + height) + 4


@pytest.mark.parametrize("factor", [9.9, 1 / 9.9])
def test_the_most_unequal_pixels_are_resampled_to_as_many(factor):
    camera = dataclasses.replace(SQUARE, fx=600.0 * factor)
    square = square_pixels(camera).camera
    assert square.width * square.height == pytest.approx(640 * 480, rel=0.01)
    assert square.fx == pytest.approx(square.fy, rel=0.01)


def test_image_and_depth_are_resampled_alike():
    rgb = np.zeros((480, 853, 3), np.uint8)
    depth = np.full((480, 853), 2.0, np.float32)
    rgb[100:140, 400:460] = 255
    depth[100:140, 400:460] = 0.5
    square = square_pixels(WIDE)
    seen = square.frame(Frame(rgb, 0.0, WIDE, depth))
    assert seen.rgb.shape[:2] == seen.depth.shape == (square.camera.height, square.camera.width)
    assert set(np.unique(seen.depth)) == {0.5, 2.0}
    near = seen.depth == 0.5
    assert np.mean(near == (seen.rgb[..., 0] > 127)) > 0.999
    assert near.any(axis=0).sum() == pytest.approx(near.any(axis=1).sum() * 60 / 40 * 0.75, abs=2)


class Projected:
    """Sees the same hand wherever its camera shows it."""

    name, model = "projected", MODEL

    def __init__(self) -> None:
        self.seen: list[CameraModel] = []

    def estimate(self, frame: Frame, detections):
        self.seen.append(frame.camera)
        rotation, wrist = exp_so3(np.array([0.3, 0.1, 0.9])), np.array([0.05, 0.0, 0.6])
        hand = hand_at(rotation, wrist, camera=frame.camera)
        (detection,) = detections
        return [dataclasses.replace(hand, detection=detection)]

    def reset(self) -> None:
        """Nothing to forget."""


@unequal
def test_a_hand_is_told_of_in_the_pixels_of_its_own_image(camera):
    estimator, detector = Projected(), ExternalDetector()
    pipeline = HandPipeline(detector, estimator)
    box = np.array([100.0, 90.0, 260.0, 200.0])
    external = (ExternalBox(box, Handedness.RIGHT, 0.9),)
    black = np.zeros((camera.height, camera.width, 3), np.uint8)
    (hand,) = pipeline.process(Frame(black, 0.0, camera, boxes=external)).hands
    assert estimator.seen[0].fx == pytest.approx(estimator.seen[0].fy, rel=2e-3)
    placed = hand.placed
    # Reprojected by the camera of the image, not of the resampled one.
    np.testing.assert_allclose(camera.project(placed.joints), placed.hand.keypoints, atol=0.5)
    there = placed.hand.detection.bounding_box
    if camera.skew:  # the box around the sheared box is larger
        assert there[0] <= box[0]
        assert there[2] >= box[2]
        np.testing.assert_allclose(there[[1, 3]], box[[1, 3]], atol=1e-6)
    else:
        np.testing.assert_allclose(there, box, atol=1e-6)


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("stretch", [4 / 3, 3 / 4])
def test_a_squeezed_video_mode_costs_little(stretch):
    """Against the same clip with square pixels; without resampling it is off twice as much."""
    errors = {}
    for name, factor in (("square", 1.0), ("other", stretch)):
        width = round(640 * factor)
        k = INTRINSICS
        camera = CameraModel(width, 480, k[0, 0] * factor, k[1, 1], k[0, 2] * factor, k[1, 2])
        pipeline, off = HandPipeline(), []
        for i in range(0, 24, 3):
            frame = clip_frame(MODEL, i)
            rgb = cv2.resize(frame.rgb, (width, 480), interpolation=cv2.INTER_AREA)
            for hand in pipeline.process(Frame(rgb, i / 30, camera)).hands:
                for truth in frame.hands:
                    if truth.handedness is hand.placed.hand.handedness:
                        error = hand.placed.joints - truth.joints
                        off.append(np.linalg.norm(error, axis=1).mean())
        errors[name] = np.mean(off)
    assert errors["other"] < 1.5 * errors["square"]
