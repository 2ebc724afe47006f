"""What no image shows of an error is stated, and neither residuals nor images take it away."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from helpers import CAMERA, MODEL, hand_at

from hamer_ros.camera.model import CameraModel
from hamer_ros.geometry.rotations import exp_so3, log_so3, rotation_between
from hamer_ros.hands import Frame, Hand, Handedness, PlacedHand, ScaleSource
from hamer_ros.placement.placer import Placer
from hamer_ros.placement.shared_covariance import LEAST_SHARE
from hamer_ros.placement.size import Size, log_length, stated_size
from hamer_ros.shared_errors import SharedErrors
from hamer_ros.tracking import Tracker
from hamer_ros.visibility import EDGE, WRIST_EDGE, visibility

IMAGE = np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8)
POSE = exp_so3(np.array([0.2, 0.3, 1.1])), np.array([0.03, 0.02, 0.5])
STATED = SharedErrors(tilt=0.12, roll=0.05, shift=0.03, reach=0.04)


def place(hand: Hand, camera: CameraModel = CAMERA, sigma: float = 1e-4) -> PlacedHand:
    size = stated_size(np.exp(log_length(hand.joints)), sigma)
    placer = Placer(MODEL.faces, dict.fromkeys(Handedness, size))
    (placed,) = placer.place(Frame(IMAGE, 0.0, camera), [hand])
    assert isinstance(placed, PlacedHand)
    return placed


def stating(errors: SharedErrors, hand: Hand | None = None) -> Hand:
    return dataclasses.replace(hand or hand_at(*POSE), shared_errors=errors)


def in_view(placed: PlacedHand) -> np.ndarray:
    """The covariance in axes of which z points at the middle of the hand."""
    middle = np.median(placed.hand.keypoints, axis=0)
    turn = rotation_between(np.array([0, 0, 1.0]), CAMERA.unproject(middle))
    both = np.kron(np.eye(2), turn)
    return both.T @ placed.covariance @ both


def test_the_errors_that_are_stated_are_those_of_the_pose():
    """Against hands that are drawn with them: turned about their middle, their wrist shifted."""
    rng = np.random.default_rng(0)
    placed = place(stating(STATED))
    middle = np.median(placed.hand.keypoints, axis=0)
    turn = rotation_between(np.array([0, 0, 1.0]), CAMERA.unproject(middle))
    joints = (placed.joints - placed.joints.mean(0)) @ turn
    length = np.exp(log_length(joints))
    drawn = []
    for _ in range(20000):
        w = rng.normal(size=3) * [STATED.tilt, STATED.tilt, STATED.roll]
        lever = np.cross(w, joints[0])
        shift = STATED.shift * length * rng.normal(size=2)
        ray = STATED.reach * rng.normal() * (placed.translation @ turn)
        drawn.append([*(ray + np.array([*shift, lever[2]])), *w])
    expected = np.cov(np.array(drawn).T)
    scale = np.sqrt(np.diag(expected))
    found = in_view(placed) - in_view(place(stating(SharedErrors())))
    np.testing.assert_allclose(
        found / np.outer(scale, scale), expected / np.outer(scale, scale), atol=0.06
    )


def test_residuals_do_not_reduce_what_is_known_of_the_noise():
    """A hand that was fitted to its own keypoints has none."""
    fitted = place(hand_at(*POSE))
    honest = place(stating(SharedErrors(known_noise=1000.0)))
    rng = np.random.default_rng(1)
    errors = []
    for _ in range(200):
        hand = hand_at(*POSE)
        pixels = hand.keypoints + 1.6 * rng.normal(size=(21, 2))
        joints = hand.joints + 0.006 / 1.596 * rng.normal(size=(21, 3))
        seen = dataclasses.replace(hand, keypoints=pixels, joints=joints - joints[0])
        errors.append(log_so3(place(seen).rotation @ POSE[0].T))
    true = np.sqrt(np.mean(np.square(errors)))
    said = [np.sqrt(np.trace(p.covariance[3:, 3:]) / 3) for p in (fitted, honest)]
    assert said[0] < 0.4 * true
    assert said[1] == pytest.approx(true, rel=0.25)


def test_a_known_length_gives_the_distance_no_better_than_the_looks_of_the_hand_are_known():
    along = POSE[1] / np.linalg.norm(POSE[1])
    covariance = place(stating(SharedErrors(reach=0.05)), sigma=0.01).covariance[:3, :3]
    sigma = np.sqrt(along @ covariance @ along) / np.linalg.norm(POSE[1])
    assert sigma == pytest.approx(np.hypot(0.05, 0.01), rel=0.05)


def test_smoothing_does_not_take_shared_errors_away():
    rng = np.random.default_rng(2)
    tracker, placer = Tracker(MODEL), Placer(MODEL.faces)
    for k in range(60):
        frame = Frame(IMAGE, k / 30, CAMERA)
        hand = stating(STATED)
        hand = dataclasses.replace(hand, keypoints=hand.keypoints + rng.normal(size=(21, 2)))
        (placed,) = placer.place(frame, [hand])
        (tracked,) = tracker.track(frame, [placed])
    shown = tracked.placed.covariance - placed.shared
    assert np.linalg.eigvalsh(shown).min() > -1e-12


def test_a_hand_of_which_less_is_seen_is_less_certain():
    rng = np.random.default_rng(3)
    hand = stating(STATED)
    sigmas = []
    for outside in ([], [0], [0, 1, 5, 9], [0, 1, 5, 9, 13, 17]):
        scores = np.ones(21)
        scores[outside] = 0.0
        noisy = hand.keypoints + rng.normal(size=(21, 2))
        placed = place(dataclasses.replace(hand, keypoints=noisy, keypoint_scores=scores))
        sigmas.append(np.sqrt([np.trace(placed.covariance[a : a + 3, a : a + 3]) for a in (0, 3)]))
    assert (np.diff(sigmas, axis=0) > 0).all()
    assert sigmas[-1][1] == pytest.approx(sigmas[0][1] / LEAST_SHARE, rel=0.2)


def test_keypoints_outside_of_the_image_are_not_seen():
    keypoints = np.tile([320.0, 240.0], (21, 1))
    keypoints[1], keypoints[2] = (220, 240), (320, 340)  # the hand is 100 px large
    keypoints[5:13] = [
        (-0.6, 240), (-0.5, 240), (EDGE * 50 - 0.5, 240), (320, 479.6),
        (639.6, 240), (320, -1), (np.nan, 3), (np.inf, 3),
    ]  # fmt: skip
    inside = visibility(keypoints, 640, 480)
    np.testing.assert_array_equal(inside[[5, 6, 8, 9, 10, 11, 12]], 0)
    assert 0 < inside[7] < 1
    np.testing.assert_array_equal(inside[13:], 1)
    assert not visibility(np.full((21, 2), np.nan), 640, 480).any()


def test_a_wrist_near_the_edge_is_believed_less_than_a_fingertip():
    keypoints = np.tile([320.0, 300.0], (21, 1))
    keypoints[[0, 8]] = (320, 400)  # of a hand 100 px large
    height = 400.5 + 100 * EDGE
    seen = visibility(keypoints, 640, height)
    assert seen[8] == pytest.approx(1.0)
    assert seen[0] == pytest.approx(EDGE / WRIST_EDGE)


# A focal length that is a guess


WIDE = dataclasses.replace(CAMERA, focal_sigma=0.08)


def off_axis(degrees: float) -> Hand:
    aside = np.radians(degrees)
    return hand_at(
        POSE[0], 0.5 * np.array([0.8 * np.sin(aside), 0.6 * np.sin(aside), np.cos(aside)])
    )


@pytest.mark.parametrize("degrees", [0, 12, 22])
@pytest.mark.parametrize("lens", [("none", ()), ("plumb_bob", (-0.2, 0.05, 1e-3, -5e-4, 0.0))])
def test_a_guessed_focal_length_moves_and_turns_the_hand_as_solving_with_another_does(
    degrees, lens
):
    hand, step = off_axis(degrees), 1e-4

    def camera(factor: float, sigma: float = 0.0) -> CameraModel:
        f = factor * CAMERA.fx
        return CameraModel(640, 480, f, f, 319.5, 239.5, *lens, focal_sigma=sigma)

    hand = dataclasses.replace(
        hand, keypoints=camera(1).project(hand.joints @ hand.orientation.T + _wrist(degrees))
    )
    plus, minus = (place(hand, camera(1 + e)) for e in (step, -step))
    moved = (plus.translation - minus.translation) / (2 * step)
    turned = log_so3(plus.rotation @ minus.rotation.T) / (2 * step)
    by_focal = np.concatenate([moved, turned])
    known, guessed = place(hand, camera(1)), place(hand, camera(1, 0.08))
    added = guessed.covariance - known.covariance
    expected = 0.08**2 * np.outer(by_focal, by_focal)
    np.testing.assert_allclose(added, expected, atol=0.03 * np.abs(expected).max())
    # z goes with the focal length, x and y stay.
    assert moved[2] == pytest.approx(known.translation[2], rel=0.1)
    np.testing.assert_array_equal(guessed.translation, known.translation)


def _wrist(degrees: float) -> np.ndarray:
    aside = np.radians(degrees)
    return 0.5 * np.array([0.8 * np.sin(aside), 0.6 * np.sin(aside), np.cos(aside)])


def test_no_number_of_images_makes_a_guessed_focal_length_certain():
    placer, tracker = Placer(MODEL.faces), Tracker(MODEL)
    hand = dataclasses.replace(hand_at(*POSE), size_sigma=0.01)
    for k in range(60):
        frame = Frame(IMAGE, k / 30, WIDE)
        (placed,) = placer.place(frame, [hand])
        (tracked,) = tracker.track(frame, [placed])
    assert placed.scale_source is ScaleSource.TRACK
    for shown in (placed, tracked.placed):
        assert np.sqrt(shown.covariance[2, 2]) > 0.08 * 0.95 * shown.translation[2]


def test_a_size_learnt_from_depth_gives_the_distance_under_a_guessed_focal_length_too():
    """Both are wrong by the same factor, the size and the distance for that size."""
    true = hand_at(*POSE)
    placer = Placer(MODEL.faces)
    detection_id = true.detection.detection_id
    (before,) = placer.place(Frame(IMAGE, 0.0, WIDE), [true])
    memory = placer._sizes[detection_id].memory
    for _ in range(30):
        memory.measured(Size(log_length(true.joints), 0.005, ScaleSource.DEPTH, by_focal=-1.0))
    (after,) = placer.place(Frame(IMAGE, 0.1, WIDE), [true])
    assert np.sqrt(before.covariance[2, 2]) > 0.08 * before.translation[2]
    assert np.sqrt(after.covariance[2, 2]) < 0.02 * after.translation[2]
    # Where it lies aside is as uncertain as the angle that a pixel stands for.
    assert np.sqrt(after.covariance[0, 0]) > 0.9 * 0.08 * abs(after.translation[0])
