"""The skeleton that the fit bends: the same hand as skinning makes, and true derivatives."""

from __future__ import annotations

import numpy as np
import pytest

from hamer_ros.estimation.joint_limits import FINGERS, THUMB, angle_range
from hamer_ros.estimation.kinematics import N_UNKNOWNS, TIPS, Kinematics, Pose
from hamer_ros.geometry.rotations import exp_so3
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hand_model.skinning import forward


@pytest.fixture(scope="module")
def model() -> HandModel:
    return HandModel.default()


@pytest.fixture(scope="module")
def kinematics(model) -> Kinematics:
    return Kinematics(model)


def random_pose(seed: int) -> Pose:
    rng = np.random.default_rng(seed)
    return Pose(
        exp_so3(rng.normal(size=3)),
        rng.normal(size=3) * 0.1 + [0, 0, 0.5],
        0.3 * rng.normal(size=45),
        rng.normal(size=10),
    )


@pytest.mark.parametrize("seed", range(5))
def test_landmarks_are_the_skinned_joints(model, kinematics, seed):
    pose = random_pose(seed)
    turns = exp_so3(kinematics.rotation_vectors(pose.angles))
    rotations = np.concatenate([pose.orientation[None], turns])
    skinned = forward(model, rotations, pose.betas).joints + pose.translation
    landmarks = kinematics.pose(pose).landmarks
    inner = [i for i in range(21) if i not in TIPS]
    np.testing.assert_allclose(landmarks[inner], skinned[inner], atol=1e-9)
    # A fingertip is a vertex, which may hang on a second bone by a little.
    np.testing.assert_allclose(landmarks, skinned, atol=2e-4)


@pytest.mark.parametrize("seed", range(5))
def test_the_jacobian_is_the_finite_difference(kinematics, seed):
    pose = random_pose(seed)
    jacobian = kinematics.jacobian(kinematics.pose(pose))
    h = 1e-6
    for k in range(N_UNKNOWNS):
        step = h * np.eye(N_UNKNOWNS)[k]
        plus = kinematics.pose(pose.moved(step)).landmarks
        minus = kinematics.pose(pose.moved(-step)).landmarks
        np.testing.assert_allclose(jacobian[:, :, k], (plus - minus) / (2 * h), atol=1e-8)


def test_positive_flexion_closes_the_hand(kinematics):
    angles = np.zeros((15, 3))
    for chain in FINGERS:
        for joint in chain:
            angles[joint - 1, 0] = 1.2
    open_hand = kinematics.pose(Pose(np.eye(3), np.zeros(3), np.zeros(45), np.zeros(10)))
    fist = kinematics.pose(Pose(np.eye(3), np.zeros(3), angles.ravel(), np.zeros(10)))
    for tip in TIPS[1:]:
        wrist = fist.landmarks[0]
        reach = np.linalg.norm(open_hand.landmarks[tip] - wrist)
        assert np.linalg.norm(fist.landmarks[tip] - wrist) < 0.7 * reach
        assert fist.landmarks[tip, 1] < open_hand.landmarks[tip, 1]  # the palm faces -y


def test_the_axes_of_a_joint_are_perpendicular(kinematics):
    gram = kinematics.axes.transpose(0, 2, 1) @ kinematics.axes
    np.testing.assert_allclose(gram, np.tile(np.eye(3), (15, 1, 1)), atol=1e-12)


def test_a_usual_pose_is_a_possible_one():
    angles = angle_range()
    assert (angles.lower <= angles.mean).all()
    assert (angles.mean <= angles.upper).all()
    assert (angles.spread > 0).all()
    assert set(THUMB) == {13, 14, 15}
