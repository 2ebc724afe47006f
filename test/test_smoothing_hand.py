"""A smoothed hand is calm, on time, and still a hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from helpers import CAMERA, MODEL, placed_at

from hamer_ros.geometry.rotations import exp_so3, log_so3
from hamer_ros.hand_model.skinning import forward, relative_to_wrist
from hamer_ros.hand_model.topology import BONES
from hamer_ros.hands import Frame, Handedness, PlacedHand, ScaleSource, TrackedHand
from hamer_ros.placement.size import log_length
from hamer_ros.tracking import Tracker, TrackerOptions

RATE = 30.0
BLACK = np.zeros((480, 640, 3), np.uint8)
DEFAULTS = TrackerOptions()
BASE = placed_at((-0.1, 0.05, 0.5))


def made(
    translation: np.ndarray,
    rotation: np.ndarray = BASE.rotation,
    hand_pose: np.ndarray = BASE.hand.hand_pose,
    betas: np.ndarray = BASE.hand.betas,
    handedness: Handedness = Handedness.RIGHT,
) -> PlacedHand:
    """A placed hand of these parameters; for the left side those of its mirror image."""
    rotations = np.concatenate([np.eye(3)[None], exp_so3(hand_pose)])
    skinned = relative_to_wrist(forward(MODEL, rotations, betas))
    mirror = np.array([-1.0 if handedness is Handedness.LEFT else 1.0, 1, 1])
    if handedness is Handedness.LEFT:
        hand_pose = hand_pose * [1, -1, -1]
    joints = skinned.joints * mirror
    translation = np.array(translation, float)
    hand = replace(
        BASE.hand,
        detection=replace(BASE.hand.detection, handedness=handedness),
        hand_pose=hand_pose,
        betas=betas,
        vertices=skinned.vertices * mirror,
        joints=joints,
        keypoints=CAMERA.project(joints @ rotation.T + translation),
    )
    return replace(
        BASE, hand=hand, rotation=rotation, translation=translation, reprojection_rms=0.0
    )


def noisy(
    rng: np.random.Generator, handedness: Handedness = Handedness.RIGHT, noise: float = 1.0
) -> PlacedHand:
    """A still hand as the landmark estimator sees it on the rendered clip.

    0.25 mm across and 1 mm along the ray, 0.3 degrees of rotation, 0.4 of the finger joints.
    """
    ray = BASE.translation / np.linalg.norm(BASE.translation)
    off = 2.5e-4 * rng.normal(size=3) + 1e-3 * rng.normal() * ray
    return made(
        BASE.translation + noise * off,
        exp_so3(noise * np.radians(0.3) * rng.normal(size=3)) @ BASE.rotation,
        BASE.hand.hand_pose + noise * np.radians(0.4) * rng.normal(size=(15, 3)),
        BASE.hand.betas + noise * 0.015 * rng.normal(size=10),
        handedness,
    )


def play(
    hands: list[PlacedHand], options: TrackerOptions = DEFAULTS, rate: float = RATE
) -> list[TrackedHand]:
    tracker = Tracker(MODEL, options)
    out = []
    for k, hand in enumerate(hands):
        (tracked,) = tracker.track(Frame(BLACK, k / rate, CAMERA), [hand])
        assert tracked.track_id == 1
        out.append(tracked)
    return out


def spread(joints: np.ndarray) -> float:
    """Root mean square deviation of joints (T, 21, 3) from their means."""
    return float(np.sqrt(joints.var(0).mean()))


@pytest.mark.parametrize("handedness", list(Handedness))
@pytest.mark.parametrize("noise", [0.3, 1.0, 5.0])
def test_a_still_hand_is_at_least_five_times_calmer(handedness, noise):
    rng = np.random.default_rng(0)
    history = play([noisy(rng, handedness, noise) for _ in range(330)])[30:]
    raw = np.array([t.raw.joints for t in history])
    smooth = np.array([t.placed.joints for t in history])
    assert spread(raw) > 5 * spread(smooth)
    np.testing.assert_allclose(smooth.mean(0), raw.mean(0), atol=1e-3 * noise)


def test_the_first_second_is_calmer_too():
    rng = np.random.default_rng(1)
    runs = [play([noisy(rng) for _ in range(30)]) for _ in range(5)]
    raw = np.mean([spread(np.array([t.raw.joints for t in run])) for run in runs])
    smooth = np.mean([spread(np.array([t.placed.joints for t in run])) for run in runs])
    assert smooth < 0.7 * raw


MOTIONS: dict[str, tuple[np.ndarray, np.ndarray, float]] = {
    # metres per second, radians per second, frames of delay that are allowed
    "across at 1 m/s": (np.array([1.0, 0, 0]), np.zeros(3), 1.0),
    "along the ray at 0.5 m/s": (np.array([0, 0, 0.5]), np.zeros(3), 1.0),
    "turning at 3 rad/s": (np.zeros(3), np.array([0, 3.0, 0]), 1.0),
}


@pytest.mark.parametrize("name", MOTIONS)
def test_a_hand_that_moves_is_followed_without_delay_and_stops_without_overshoot(name):
    speed, turning, allowed = MOTIONS[name]
    still, moving = 30, 12
    time = np.clip(np.arange(still + moving + 30) - still, 0, moving) / RATE
    start = np.array([-0.2, 0.0, 0.45])
    history = play([made(start + speed * t, exp_so3(turning * t) @ BASE.rotation) for t in time])
    behind = np.array(
        [
            (t.raw.translation - t.placed.translation) @ speed
            + log_so3(t.raw.rotation @ t.placed.rotation.T) @ turning
            for t in history
        ]
    ) / (speed @ speed + turning @ turning)
    assert RATE * behind[still + moving] < allowed
    assert behind.min() > -1e-6
    assert abs(behind[-1]) < 0.05 * behind.max()


def test_fingers_that_close_are_followed():
    closed = np.clip(np.arange(60) - 30, 0, 10) / RATE
    pose = np.zeros((15, 3))
    pose[:, 2] = 5.0  # radians per second
    history = play([made(BASE.translation, hand_pose=pose * t) for t in closed])
    behind = [float((t.raw.hand.hand_pose - t.placed.hand.hand_pose)[0, 2]) for t in history]
    assert RATE * behind[40] / 5.0 < 1.5
    assert min(behind) > -1e-6


@pytest.mark.parametrize("handedness", list(Handedness))
def test_a_smoothed_hand_is_one_of_the_model(handedness):
    """Its parameters give its joints and surface, and no bone shrinks while the fingers move.

    But for a tenth of a percent: the length that is kept ends in a fingertip, which is skin.
    """
    rng = np.random.default_rng(2)
    pose = [BASE.hand.hand_pose + 0.2 * k * rng.normal(size=(15, 3)) for k in range(8)]
    for tracked in play([made(BASE.translation, hand_pose=p, handedness=handedness) for p in pose]):
        placed = tracked.placed
        sign = [1, -1, -1] if handedness is Handedness.LEFT else [1, 1, 1]
        again = made(
            placed.translation, placed.rotation, placed.hand.hand_pose * sign, handedness=handedness
        )
        np.testing.assert_allclose(placed.hand.joints, again.hand.joints, atol=1e-9)
        np.testing.assert_allclose(placed.hand.vertices, again.hand.vertices, atol=1e-9)
        for a, b in (tracked.raw, placed), (tracked.raw, again):
            np.testing.assert_allclose(bones(a)[:-5], bones(b)[:-5], rtol=1e-3)
        np.testing.assert_allclose(placed.rotation @ placed.rotation.T, np.eye(3), atol=1e-9)


def bones(placed: PlacedHand) -> np.ndarray:
    """Lengths in metres; those that end in a fingertip, which is skin, come last."""
    ordered = sorted(BONES, key=lambda bone: bone[1] % 4 == 0)
    return np.array([np.linalg.norm(placed.joints[a] - placed.joints[b]) for a, b in ordered])


def test_evidence_stays_raw_and_rms_is_measured_to_the_smoothed_joints():
    rng = np.random.default_rng(3)
    tracked = play([noisy(rng, noise=3.0) for _ in range(20)])[-1]
    np.testing.assert_array_equal(tracked.placed.hand.keypoints, tracked.raw.hand.keypoints)
    off = CAMERA.project(tracked.placed.joints) - tracked.raw.hand.keypoints
    assert tracked.placed.reprojection_rms == pytest.approx(np.sqrt((off**2).sum(1).mean()))
    assert tracked.placed.reprojection_rms > 0.1


def test_what_the_filter_trails_behind_by_is_in_the_covariance():
    history = play([made(BASE.translation + 0.03 * k * np.eye(3)[0]) for k in range(8)])
    tracked = history[-1]
    behind = np.linalg.norm(tracked.raw.translation - tracked.placed.translation)
    assert behind > 0.005
    grown = tracked.placed.covariance - tracked.raw.covariance
    assert np.trace(grown[:3, :3]) == pytest.approx(behind**2)


def test_without_smoothing_the_raw_hand_is_published():
    rng = np.random.default_rng(4)
    for tracked in play([noisy(rng) for _ in range(10)], TrackerOptions(smoothing=False)):
        for value in (
            "rotation",
            "translation",
            "covariance",
            "joints",
            "vertices",
            "reprojection_rms",
        ):
            np.testing.assert_array_equal(
                getattr(tracked.placed, value), getattr(tracked.raw, value)
            )


def test_smoothing_can_be_switched_on_without_a_jump():
    rng = np.random.default_rng(5)
    tracker = Tracker(MODEL, TrackerOptions(smoothing=False))
    hands = [noisy(rng) for _ in range(40)]
    published = []
    for k, hand in enumerate(hands):
        if k == 30:
            tracker.options = TrackerOptions()
        (tracked,) = tracker.track(Frame(BLACK, k / RATE, CAMERA), [hand])
        published.append(tracked.placed.joints)
    jump = np.linalg.norm(published[30] - published[29], axis=1).max()
    usual = np.linalg.norm(np.diff([h.joints for h in hands], axis=0), axis=2).max()
    assert jump < 0.3 * usual


def test_a_size_that_becomes_known_takes_hold_at_once_and_moves_no_pixel():
    near = made(BASE.translation)
    far = replace(
        near, translation=1.1 * near.translation, scale=1.1, scale_source=ScaleSource.DEPTH
    )
    tracked = play(15 * [near] + [far])[-1]
    np.testing.assert_allclose(tracked.placed.translation, far.translation, rtol=1e-9)
    assert tracked.placed.scale == pytest.approx(1.1)
    assert tracked.placed.reprojection_rms < 1e-6


def test_a_size_that_jitters_is_calmed_without_a_change_of_pixels():
    rng = np.random.default_rng(6)
    base = made(BASE.translation)
    factors = np.exp(0.02 * rng.normal(size=600))
    hands = [replace(base, translation=f * base.translation, scale=f) for f in factors]
    history = play(hands)[30:]
    raw = np.array([t.raw.translation[2] for t in history])
    smooth = np.array([t.placed.translation[2] for t in history])
    assert raw.std() > 5 * smooth.std()
    assert max(t.placed.reprojection_rms for t in history) < 1e-6


def test_joints_that_are_not_the_models_keep_their_difference():
    """As those of the ensemble, which are the mean of two estimates."""
    rng = np.random.default_rng(7)
    base = made(BASE.translation)
    joints = base.hand.joints + 0.004 * rng.normal(size=(21, 3))
    shift = joints[0]
    mixed = replace(
        base,
        hand=replace(base.hand, joints=joints - shift, vertices=base.hand.vertices - shift),
    )
    tracked = play(10 * [mixed])[-1]
    np.testing.assert_allclose(tracked.placed.joints, mixed.joints, atol=1e-9)
    np.testing.assert_allclose(tracked.placed.vertices, mixed.vertices, atol=1e-9)
    assert log_length(tracked.placed.joints) == pytest.approx(log_length(mixed.joints))


@pytest.mark.parametrize("rate", [5.0, 15.0, 60.0, 120.0])
def test_a_still_hand_is_calm_at_every_rate(rate):
    rng = np.random.default_rng(8)
    count = int(12 * rate)
    history = play([noisy(rng) for _ in range(count)], rate=rate)[int(2 * rate) :]
    raw = spread(np.array([t.raw.joints for t in history]))
    smooth = spread(np.array([t.placed.joints for t in history]))
    # White noise through a low-pass of the least cutoff; the speed's noise may add a fifth.
    turns = 2 * np.pi * DEFAULTS.min_cutoff / rate
    share = turns / (1 + turns)
    assert smooth < 1.2 * np.sqrt(share / (2 - share)) * raw


MISTAKES: dict[str, Callable[[], TrackerOptions]] = {
    "min_cutoff is 0": lambda: TrackerOptions(min_cutoff=0),
    "d_cutoff is nan": lambda: TrackerOptions(d_cutoff=float("nan")),
    "beta is -1": lambda: TrackerOptions(beta=-1),
    "coast_time is inf": lambda: TrackerOptions(coast_time=float("inf")),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_options_without_a_meaning_are_refused(text):
    with pytest.raises(ValueError, match=text):
        MISTAKES[text]()
