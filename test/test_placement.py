"""Placement puts a hand back where it was seen, whatever the lens, side and place."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from helpers import CAMERA, MIRROR, hand_at

from hamer_ros.camera import CameraModel
from hamer_ros.hands import Side
from hamer_ros.placement import SIZE_SIGMA, place
from hamer_ros.rotations import exp_so3, log_so3, mirror_rotation

FISHEYE = CameraModel(
    640, 480, 290.0, 291.0, 322.0, 238.0, "equidistant", (-0.01, 0.02, -0.015, 0.003)
)
PLUMB_BOB = CameraModel(
    640, 480, 500.0, 510.0, 310.0, 250.0, "plumb_bob", (-0.28, 0.09, 1e-3, -5e-4, -0.01)
)


def where(rng: np.random.Generator, degrees_off: float) -> np.ndarray:
    """A wrist that many degrees off the axis."""
    azimuth, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 1.0)
    radius = depth * np.tan(np.radians(degrees_off))
    return np.array([radius * np.cos(azimuth), radius * np.sin(azimuth), depth])


@pytest.mark.parametrize("camera", [CAMERA, PLUMB_BOB, FISHEYE], ids=lambda c: c.lens)
@pytest.mark.parametrize("degrees_off", [0, 15, 25])
@pytest.mark.parametrize("side", list(Side))
def test_without_noise_there_is_no_error(camera, degrees_off, side):
    rng = np.random.default_rng(0)
    for seed in range(5):
        rotation, translation = exp_so3(rng.normal(size=3)), where(rng, degrees_off)
        placed = place(hand_at(rotation, translation, side, camera, seed), camera)
        assert placed is not None
        np.testing.assert_allclose(placed.translation, translation, atol=1e-5)
        np.testing.assert_allclose(placed.rotation, rotation, atol=1e-5)
        assert placed.rms_px < 1e-3


def test_a_wrong_orientation_is_turned_back():
    rng = np.random.default_rng(1)
    for seed in range(10):
        rotation, translation = exp_so3(rng.normal(size=3)), where(rng, 20)
        hand = hand_at(rotation, translation, seed=seed)
        off = exp_so3(np.radians(12) * np.array([0, 0, 1.0]))
        placed = place(dataclasses.replace(hand, orientation=off @ rotation), CAMERA)
        before = np.degrees(np.linalg.norm(log_so3(off)))
        after = np.degrees(np.linalg.norm(log_so3(placed.rotation @ rotation.T)))
        assert after < 0.2 * before


def test_a_left_hand_is_the_mirror_image_of_a_right_one():
    rotation, translation = exp_so3(np.array([0.4, 0.2, -1.0])), np.array([0.1, -0.05, 0.5])
    camera = CameraModel(641, 481, 600.0, 600.0, 320.0, 240.0)
    right = hand_at(rotation, translation, Side.RIGHT, camera)
    left = hand_at(mirror_rotation(rotation), translation * MIRROR, Side.LEFT, camera)
    noise = np.random.default_rng(3).normal(size=(21, 2))
    right = dataclasses.replace(right, keypoints=right.keypoints + noise)
    left = dataclasses.replace(left, keypoints=left.keypoints + noise * MIRROR[:2])
    a, b = place(right, camera), place(left, camera)
    np.testing.assert_allclose(b.translation, a.translation * MIRROR, atol=1e-9)
    np.testing.assert_allclose(b.joints, a.joints * MIRROR, atol=1e-9)


def test_gross_outliers_barely_move_the_hand():
    rng = np.random.default_rng(4)
    clean, spoilt = [], []
    for seed in range(30):
        rotation, translation = exp_so3(rng.normal(size=3)), where(rng, 15)
        hand = hand_at(rotation, translation, seed=seed)
        keypoints = hand.keypoints + rng.normal(size=(21, 2))
        clean.append(place(dataclasses.replace(hand, keypoints=keypoints), CAMERA))
        bad = keypoints.copy()
        bad[rng.choice(21, 4, replace=False)] += 60 * rng.choice([-1, 1], (4, 2))
        spoilt.append(place(dataclasses.replace(hand, keypoints=bad), CAMERA))
        clean[-1] = np.linalg.norm(clean[-1].translation - translation)
        spoilt[-1] = np.linalg.norm(spoilt[-1].translation - translation)
    assert np.median(spoilt) < 2 * np.median(clean)


def test_the_depth_is_as_uncertain_as_the_size_of_hands():
    """Size and depth cannot be told apart: sigma_z is at least 5.5 % of the distance."""
    placed = place(hand_at(exp_so3(np.array([0.3, 0.2, 1.0])), np.array([0, 0, 0.5])), CAMERA)
    sigma_z = np.sqrt(placed.covariance[2, 2])
    assert 0.95 * SIZE_SIGMA * 0.5 < sigma_z < 1.3 * SIZE_SIGMA * 0.5
    assert (np.linalg.eigvalsh(placed.covariance) > 0).all()


def test_too_little_evidence_is_no_placement():
    hand = hand_at(np.eye(3), np.array([0, 0, 0.5]))
    keypoints = hand.keypoints.copy()
    keypoints[5:] = np.nan
    assert place(dataclasses.replace(hand, keypoints=keypoints), CAMERA) is None
    assert place(dataclasses.replace(hand, keypoint_scores=np.zeros(21)), CAMERA) is None


def test_missing_keypoints_are_done_without():
    translation = np.array([0.05, 0.02, 0.6])
    hand = hand_at(exp_so3(np.array([0.3, 0.2, 1.0])), translation)
    keypoints = hand.keypoints.copy()
    keypoints[[2, 7, 19]] = np.nan
    placed = place(dataclasses.replace(hand, keypoints=keypoints), CAMERA)
    np.testing.assert_allclose(placed.translation, translation, atol=1e-5)
    assert np.isfinite(placed.covariance).all()
