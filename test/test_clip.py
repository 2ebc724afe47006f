"""The clip with known truth: the truth is consistent, and the images show it."""

from __future__ import annotations

import numpy as np
import pytest

from hamer_ros.geometry.rotations import MIRROR, log_so3
from hamer_ros.hand_model import topology
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hands import Handedness
from hamer_ros.rendering.clip import HEIGHT, INTRINSICS, WIDTH, clip_frame, clip_truth
from hamer_ros.rendering.raster import rasterize

N_FRAMES = 150


@pytest.fixture(scope="module")
def model():
    return HandModel.default()


@pytest.fixture(scope="module")
def truths(model):
    return [clip_truth(model, k, N_FRAMES) for k in range(N_FRAMES)]


def pixels(points):
    return np.stack(
        [600.0 * points[:, 0] / points[:, 2] + 320.0, 600.0 * points[:, 1] / points[:, 2] + 240.0],
        axis=1,
    )


def test_both_hands_are_always_there(truths):
    assert all(
        [hand.handedness for hand in hands] == [Handedness.LEFT, Handedness.RIGHT]
        for hands in truths
    )


def test_hands_stay_in_the_image_and_apart(truths):
    for left, right in truths:
        seen = [pixels(hand.vertices) for hand in (left, right)]
        for points in seen:
            assert (points > 10.0).all()
            assert (points < [WIDTH - 10.0, HEIGHT - 10.0]).all()
        assert seen[1][:, 0].max() + 20.0 < seen[0][:, 0].min()


def test_hands_stay_within_reach(truths):
    wrists = np.array([hand.joints[0] for hands in truths for hand in hands])
    nearest, farthest = wrists[:, 2].min(), wrists[:, 2].max()
    assert 0.4 < nearest < 0.5
    assert 0.6 < farthest < 0.7


def test_the_motion_is_smooth_and_closes(truths):
    """No joint moves faster than a brisk hand, 2 m/s at 30 Hz, nor jumps where the loop closes."""
    joints = np.array([[hand.joints for hand in hands] for hands in truths])
    steps = np.linalg.norm(joints - np.roll(joints, 1, axis=0), axis=-1)
    assert steps.max() < 2.0 / 30.0
    assert steps.max(axis=(1, 2)).min() > 0.0


def test_wrists_turn_about_every_axis(truths):
    """Turned by up to 45 degrees from its mean, and by over 25 degrees about each axis in all."""
    for handedness in (0, 1):
        R = np.array([hands[handedness].rotation for hands in truths])
        u, _, vt = np.linalg.svd(R.mean(axis=0))
        turns = log_so3(R @ (u @ vt).T)
        assert np.linalg.norm(turns, axis=1).max() < np.radians(45.0)
        assert (np.ptp(turns, axis=0) > np.radians(25.0)).all()


def test_fingers_close_and_open(truths):
    """The middle fingertip comes from a hand's length to half of it, twice a loop."""
    reach = np.array(
        [[np.linalg.norm(hand.joints[12] - hand.joints[0]) for hand in hands] for hands in truths]
    )
    assert (reach.max(axis=0) > 0.18).all()
    assert (reach.min(axis=0) < 0.11).all()


def test_joints_project_onto_the_keypoints(truths):
    for hands in truths[::30]:
        for hand in hands:
            np.testing.assert_allclose(hand.keypoints, pixels(hand.joints), atol=1e-9)


def test_the_pose_places_the_hand(model, truths):
    """The wrist's rotation and position turn the bones that do not bend with the fingers."""
    for hands in truths[::30]:
        for hand in hands:
            rest = model.joint_regressor @ model.v_template
            if hand.handedness is Handedness.LEFT:
                rest = rest @ MIRROR
            knuckles = rest[[13, 1, 4, 10, 7]] - rest[0]
            placed = knuckles @ hand.rotation.T + hand.joints[0]
            np.testing.assert_allclose(hand.joints[[1, 5, 9, 13, 17]], placed, atol=1e-9)
            assert np.linalg.det(hand.rotation) == pytest.approx(1.0)


def test_sides_are_right(truths):
    """Palm to the camera and fingers up, a right hand's thumb points to the image's right."""
    for left, right in truths:
        for hand, sign in ((left, -1.0), (right, 1.0)):
            across = hand.joints[5] - hand.joints[17]
            up = hand.joints[9] - hand.joints[0]
            facing = np.cross(across, up) * sign
            # up is -v and across is +u on a right hand: the palm's normal, towards the camera.
            assert facing @ hand.joints[0] < 0.0


def test_fingertips_are_vertices(truths):
    tips = list(topology.FINGERTIP_VERTICES.values())
    for hand in truths[10]:
        np.testing.assert_array_equal(hand.joints[[4, 8, 12, 16, 20]], hand.vertices[tips])


def test_a_frame_is_a_function_of_its_number(model):
    once, again = (clip_frame(model, 7, N_FRAMES) for _ in range(2))
    np.testing.assert_array_equal(once.rgb, again.rgb)
    assert once.rgb.shape == (HEIGHT, WIDTH, 3)
    assert once.rgb.dtype == np.uint8


def test_the_image_shows_the_hands_where_the_truth_says(model):
    """Skin is redder than blue inside the silhouettes, and the wall above is not."""
    frame = clip_frame(model, 40, N_FRAMES)
    redness = frame.rgb[..., 0].astype(float) - frame.rgb[..., 2]
    for hand in frame.hands:
        faces = topology.closed_faces(model.faces)
        if hand.handedness is Handedness.LEFT:
            faces = topology.mirrored_faces(faces)
        seen = rasterize(hand.vertices, faces, INTRINSICS, WIDTH, HEIGHT)
        height, width = seen.face_ids.shape
        inside = redness[seen.top : seen.top + height, seen.left : seen.left + width]
        assert np.mean(inside[seen.face_ids >= 0] > 20.0) > 0.95
    assert np.mean(redness[:60] > 20.0) < 0.001


def test_one_hand_alone_runs_the_same_course(model, truths):
    (right,) = clip_truth(model, 33, N_FRAMES, sides=[Handedness.RIGHT])
    np.testing.assert_array_equal(right.joints, truths[33][1].joints)
