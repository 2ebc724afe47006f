"""Placement puts a hand back where it was seen, whatever the lens, side and place."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from helpers import CAMERA, MIRROR, MODEL, hand_at
from hypothesis import assume, given
from hypothesis import strategies as st

from hamer_ros.camera.model import CameraModel
from hamer_ros.geometry.rotations import exp_so3, log_so3, mirror_rotation
from hamer_ros.hands import Frame, Handedness, Landmarks, PlacedHand, Unplaced
from hamer_ros.placement.placer import Placer
from hamer_ros.placement.size import POPULATION_SIGMA, log_length, stated_size

FISHEYE = CameraModel(
    640, 480, 290.0, 291.0, 322.0, 238.0, "equidistant", (-0.01, 0.02, -0.015, 0.003)
)
PLUMB_BOB = CameraModel(
    640, 480, 500.0, 510.0, 310.0, 250.0, "plumb_bob", (-0.28, 0.09, 1e-3, -5e-4, -0.01)
)


def placer_for(*hands) -> Placer:
    """A placer that knows how large the hands are (all of one size)."""
    joints = np.nan_to_num(hands[0].joints, nan=0.1 * np.arange(63.0).reshape(21, 3))
    size = stated_size(np.exp(log_length(joints)))
    return Placer(MODEL.faces, dict.fromkeys(Handedness, size))


def place(hand, camera) -> PlacedHand | Unplaced:
    frame = Frame(np.zeros((camera.height, camera.width, 3), np.uint8), 0.0, camera)
    (placed,) = placer_for(hand).place(frame, [hand])
    return placed


def where(rng: np.random.Generator, degrees_off: float) -> np.ndarray:
    """A wrist that many degrees off the axis."""
    azimuth, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 1.0)
    radius = depth * np.tan(np.radians(degrees_off))
    return np.array([radius * np.cos(azimuth), radius * np.sin(azimuth), depth])


@pytest.mark.parametrize("camera", [CAMERA, PLUMB_BOB, FISHEYE], ids=lambda c: c.lens)
@pytest.mark.parametrize("degrees_off", [0, 15, 25])
@pytest.mark.parametrize("handedness", list(Handedness))
def test_without_noise_there_is_no_error(camera, degrees_off, handedness):
    rng = np.random.default_rng(0)
    for seed in range(5):
        rotation, translation = exp_so3(rng.normal(size=3)), where(rng, degrees_off)
        placed = place(hand_at(rotation, translation, handedness, camera, seed), camera)
        np.testing.assert_allclose(placed.translation, translation, atol=1e-5)
        np.testing.assert_allclose(placed.rotation, rotation, atol=1e-5)
        assert placed.reprojection_rms < 1e-3


turns = st.tuples(*[st.floats(-3, 3)] * 3)


@given(
    turns,
    st.floats(0, 45),
    st.floats(0, 2 * np.pi),
    st.floats(0.35, 1.2),
    st.sampled_from([CAMERA, PLUMB_BOB, FISHEYE]),
    st.sampled_from(list(Handedness)),
    st.integers(0, 50),
)
def test_every_hand_in_front_of_any_camera_is_found_where_it_is(
    turn, degrees_off, azimuth, distance, camera, handedness, seed
):
    aside = np.radians(degrees_off)
    ray = np.array(
        [np.cos(azimuth) * np.sin(aside), np.sin(azimuth) * np.sin(aside), np.cos(aside)]
    )
    rotation, translation = exp_so3(np.array(turn)), distance * ray
    hand = hand_at(rotation, translation, handedness, camera, seed)
    assume((hand.joints @ rotation.T + translation)[:, 2].min() > 0.1)
    # A lens' polynomial folds over outside of the field that it was fitted to.
    assume(np.allclose(camera.project(camera.unproject(hand.keypoints)), hand.keypoints, atol=1e-6))
    placed = place(hand, camera)
    np.testing.assert_allclose(placed.translation, translation, atol=5e-5)
    assert np.degrees(np.linalg.norm(log_so3(placed.rotation @ rotation.T))) < 0.01


@given(turns, st.floats(0.5, 2.0))
def test_a_hand_twice_as_large_is_twice_as_far(turn, factor):
    rotation, translation = exp_so3(np.array(turn)), np.array([0.05, -0.02, 0.5])
    hand = hand_at(rotation, translation)
    larger = dataclasses.replace(hand, joints=factor * hand.joints)
    a, b = place(hand, CAMERA), place(larger, CAMERA)
    np.testing.assert_allclose(b.translation, factor * a.translation, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(b.rotation, a.rotation, atol=1e-6)


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
    right = hand_at(rotation, translation, Handedness.RIGHT, camera)
    left = hand_at(mirror_rotation(rotation), translation * MIRROR, Handedness.LEFT, camera)
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
    hand = hand_at(exp_so3(np.array([0.3, 0.2, 1.0])), np.array([0, 0, 0.5]))
    frame = Frame(np.zeros((480, 640, 3), np.uint8), 0.0, CAMERA)
    (placed,) = Placer(MODEL.faces).place(frame, [hand])
    sigma_z = np.sqrt(placed.covariance[2, 2])
    distance = placed.translation[2]
    assert 0.95 * POPULATION_SIGMA * distance < sigma_z < 1.3 * POPULATION_SIGMA * distance
    assert (np.linalg.eigvalsh(placed.covariance) > 0).all()


def test_too_little_evidence_is_refused_with_the_reason():
    hand = hand_at(np.eye(3), np.array([0, 0, 0.5]))
    keypoints = hand.keypoints.copy()
    keypoints[5:] = np.nan
    assert place(dataclasses.replace(hand, keypoints=keypoints), CAMERA).reason == (
        "fewer than 6 keypoints"
    )
    unsure = dataclasses.replace(hand, keypoint_scores=np.zeros(21))
    assert place(unsure, CAMERA).reason == "fewer than 6 keypoints"
    torn = dataclasses.replace(hand, joints=np.full((21, 3), np.nan))
    assert place(torn, CAMERA).reason == "estimated hand not finite"


def test_keypoints_that_are_no_hand_are_refused_or_finite():
    rng = np.random.default_rng(6)
    hand = hand_at(exp_so3(np.array([0.3, 0.2, 1.0])), np.array([0, 0, 0.5]))
    for _ in range(200):
        keypoints = rng.uniform(-2000, 2000, (21, 2)) * rng.choice([0.0, 0.01, 1.0])
        placed = place(dataclasses.replace(hand, keypoints=keypoints), CAMERA)
        if isinstance(placed, PlacedHand):
            assert np.isfinite(placed.vertices).all()
            assert np.isfinite(placed.covariance).all()
            assert placed.joints[:, 2].min() > 0


def test_the_covariance_is_positive_however_badly_the_keypoints_fit():
    """Seen through another lens than was told, solutions have not settled when their steps end."""
    seen = CameraModel(160, 120, 140.0, 140.0, 80.0, 60.0)
    lens = (6.627, -17.613, 0.708, 5.113, 2.847)
    told = CameraModel(160, 120, 124.4, 124.4, 80.0, 60.0, "plumb_bob", lens)
    rng = np.random.default_rng(4)
    least = []
    for seed in range(200):
        hand = hand_at(exp_so3(rng.normal(size=3)), where(rng, 15), Handedness.RIGHT, seen, seed)
        placed = place(hand, told)
        if isinstance(placed, PlacedHand):
            deviation = np.sqrt(np.maximum(np.diag(placed.covariance), 1e-30))
            correlation = placed.covariance / np.outer(deviation, deviation)
            least.append(np.linalg.eigvalsh(correlation).min())
    assert len(least) > 150
    assert min(least) > 0


def test_hands_are_placed_together_as_they_are_alone():
    rng = np.random.default_rng(7)
    hands = [
        hand_at(exp_so3(rng.normal(size=3)), where(rng, 20), seed=s, detection_id=s)
        for s in range(5)
    ]
    frame = Frame(np.zeros((480, 640, 3), np.uint8), 0.0, CAMERA)
    placer = placer_for(*hands)
    for hand, together in zip(hands, placer.place(frame, hands), strict=True):
        (alone,) = placer_for(*hands).place(frame, [hand])
        np.testing.assert_allclose(together.translation, alone.translation, atol=1e-7)
        np.testing.assert_allclose(together.covariance, alone.covariance, rtol=1e-3, atol=1e-9)


def test_missing_keypoints_are_done_without():
    translation = np.array([0.05, 0.02, 0.6])
    hand = hand_at(exp_so3(np.array([0.3, 0.2, 1.0])), translation)
    keypoints = hand.keypoints.copy()
    keypoints[[2, 7, 19]] = np.nan
    placed = place(dataclasses.replace(hand, keypoints=keypoints), CAMERA)
    np.testing.assert_allclose(placed.translation, translation, atol=1e-5)
    assert np.isfinite(placed.covariance).all()


def test_a_second_set_of_keypoints_is_evidence_too():
    rng = np.random.default_rng(8)
    alone, both = [], []
    for seed in range(60):
        rotation, translation = exp_so3(rng.normal(size=3)), where(rng, 15)
        hand = hand_at(rotation, translation, seed=seed)
        first, second = hand.keypoints + 3 * rng.normal(size=(2, 21, 2))
        hand = dataclasses.replace(hand, keypoints=first)
        landmarks = Landmarks(second, np.zeros((21, 3)), 1.0)
        seen = dataclasses.replace(
            hand, detection=dataclasses.replace(hand.detection, landmarks=landmarks)
        )
        alone.append(np.linalg.norm(place(hand, CAMERA).translation - translation))
        both.append(np.linalg.norm(place(seen, CAMERA).translation - translation))
    assert np.sqrt(np.mean(np.square(both))) < 0.85 * np.sqrt(np.mean(np.square(alone)))
