"""The scenes hide, move and noise what they say, so that figures measured on them mean it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from bench.board import SLIDE_FRAMES, Board, paint
from bench.tracking_scenes import (
    HIDDEN_FRAMES,
    SWEEP_SPEED,
    Scene,
    Trajectory,
    Wave,
    crossing,
    crossing_same_side,
    occlusion_both,
    occlusion_moving,
    occlusion_still,
    scenes,
    still,
    sweep,
)
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hands import Handedness
from hamer_ros.rendering.clip import FRAME_RATE, HEIGHT, INTRINSICS, WIDTH

VARIATIONS = range(3)
MODEL = HandModel.default()


def shares(scene):
    return np.array([scene.visible_shares(MODEL, k) for k in range(scene.n_frames)])


def positions(scene):
    """(T, hands, 3) middle of the joints."""
    truths = [scene.truth(MODEL, k) for k in range(scene.n_frames)]
    return np.array([[hand.joints.mean(axis=0) for hand in hands] for hands in truths])


def all_scenes():
    return [still(), sweep(), *(s for v in VARIATIONS for s in scenes(MODEL, v))]


@pytest.mark.parametrize("scene", all_scenes(), ids=lambda s: f"{s.name}-{s.variation}")
def test_hands_move_as_people_do_and_stay_in_view(scene):
    speeds = np.linalg.norm(np.diff(positions(scene), axis=0), axis=-1) * FRAME_RATE
    moving = [any(trajectory.swing) for trajectory in scene.trajectories]
    assert (speeds[:, ~np.array(moving)] < 1e-9).all()
    assert ((speeds.max(axis=0)[moving] > 0.25) & (speeds.max(axis=0)[moving] < 1.05)).all()
    for k in range(0, scene.n_frames, 5):
        for hand in scene.truth(MODEL, k):
            pixels = (hand.vertices / hand.vertices[:, 2:]) @ INTRINSICS[:2].T
            assert (pixels > 0).all() and (pixels < [WIDTH, HEIGHT]).all()


@pytest.mark.parametrize("make", [crossing, crossing_same_side])
@pytest.mark.parametrize("variation", VARIATIONS)
def test_crossing_hands_pass_each_other_twice_and_one_hides_the_other(make, variation):
    scene = make(variation)
    order = np.diff(positions(scene)[:, :, 0], axis=1).ravel() > 0
    assert sum(a != b for a, b in itertools.pairwise(order)) == 2
    near, far = shares(scene).T
    assert (near == 1).all()
    assert far.min() < 2 / 3
    assert far[0] == far[-1] == 1
    sides = [trajectory.handedness for trajectory in scene.trajectories]
    assert (sides[0] is sides[1]) == (make is crossing_same_side)


@pytest.mark.parametrize(
    ("make", "hidden"), [(occlusion_still, [0]), (occlusion_moving, [0]), (occlusion_both, [0, 1])]
)
@pytest.mark.parametrize("variation", VARIATIONS)
def test_boards_hide_hands_for_exactly_ten_frames(make, hidden, variation):
    seen = shares(make(MODEL, variation))
    for hand, share in enumerate(seen.T):
        covered = np.flatnonzero(share == 0)
        if hand in hidden:
            assert len(covered) == HIDDEN_FRAMES == 10
            assert covered[-1] - covered[0] == 9
            assert share[0] == share[-1] == 1
        else:
            assert (share == 1).all()


def test_the_moving_occlusion_hides_the_hand_that_moves():
    moving, other = positions(occlusion_moving(MODEL)).transpose(1, 0, 2)
    assert np.ptp(moving, axis=0).max() > 0.4
    assert np.ptp(other, axis=0).max() == 0


def test_a_sweep_has_one_speed():
    speeds = np.abs(np.diff(positions(sweep())[:, 0, 0])) * FRAME_RATE
    assert np.median(speeds) == pytest.approx(SWEEP_SPEED)
    assert np.mean(np.isclose(speeds, SWEEP_SPEED)) > 0.9, "all but the turning points"


def test_still_hands_differ_in_noise_alone():
    scene = still()
    first, second = (scene.frame(MODEL, k).rgb.astype(float) for k in (3, 4))
    np.testing.assert_array_equal(scene.truth(MODEL, 3)[0].joints, scene.truth(MODEL, 4)[0].joints)
    # Noise of 2 grey levels in both, and the rounding to whole ones.
    assert (first - second).std() == pytest.approx(np.hypot(2, 2), rel=0.05)
    row, shifted = (first - second)[:, :-1], (first - second)[:, 1:]
    assert abs(np.corrcoef(row.ravel(), shifted.ravel())[0, 1]) < 0.01


def test_a_frame_is_a_function_of_its_number():
    once, again = (occlusion_still(MODEL).frame(MODEL, 23) for _ in range(2))
    np.testing.assert_array_equal(once.rgb, again.rgb)


def test_the_board_is_in_the_image_where_the_hand_is_hidden():
    scene = occlusion_still(MODEL)
    hidden = int(np.flatnonzero(shares(scene)[:, 0] == 0)[0])
    u, v = scene.truth(MODEL, hidden)[0].keypoints.mean(axis=0).astype(int)
    patch = np.s_[v - 20 : v + 20, u - 20 : u + 20]
    redness = [
        float(np.mean(rgb[patch][..., 0].astype(float) - rgb[patch][..., 2]))
        for rgb in (scene.frame(MODEL, 0).rgb, scene.frame(MODEL, hidden).rgb)
    ]
    assert redness[0] > 40
    assert redness[1] < 25


def test_a_board_comes_and_goes():
    board = Board(10, 20, 40, 60, first=8, last=9, away=(0.0, 80.0))
    assert [board.shift(k)[1] for k in range(4, 15)] == [80, 60, 40, 20, 0, 0, 20, 40, 60, 80, 80]
    assert len([k for k in range(100) if 0 < board.shift(k)[1] < 80]) == 2 * (SLIDE_FRAMES - 1)
    image = np.zeros((90, 100, 3), np.uint8)
    paint(image, board, 7)
    rows, columns = np.nonzero(image.any(axis=2))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (40, 79, 10, 39)
    image[:] = 0
    paint(image, board, 5)
    assert np.nonzero(image.any(axis=(1, 2)))[0].min() == 80, "the part of it that is in the image"
    image[:] = 0
    paint(image, board, 0)
    assert not image.any()


@pytest.mark.parametrize("wave", Wave)
def test_waves_begin_at_one_turning_point_and_reach_the_other(wave):
    assert [wave(t) for t in (0, 0.5, 1, 1.5)] == pytest.approx([1, -1, 1, -1])
    assert wave(0.25) == pytest.approx(0, abs=1e-12)


def test_a_left_hand_on_the_mirrored_course_is_the_mirror_image():
    left = Trajectory(Handedness.LEFT, (0.1, 0.02, 0.5), (0.1, 0, 0), 2.0, tilt=0.2)
    right = Trajectory(Handedness.RIGHT, (-0.1, 0.02, 0.5), (-0.1, 0, 0), 2.0, tilt=-0.2)
    for k in (0, 7):
        mirrored = right.truth(MODEL, k).joints * [-1, 1, 1]
        np.testing.assert_allclose(left.truth(MODEL, k).joints, mirrored, atol=1e-12)


def test_a_hand_behind_another_is_not_visible():
    near = Trajectory(Handedness.RIGHT, (0.0, 0.0, 0.4))
    far = Trajectory(Handedness.RIGHT, (0.0, 0.0, 0.8))
    near_share, far_share = Scene("made up", 0, 1, (near, far)).visible_shares(MODEL, 0)
    assert near_share == 1
    assert far_share < 0.1
