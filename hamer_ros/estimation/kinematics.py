"""The 21 landmarks of a posed hand and their derivative by pose and shape.

Only the skeleton moves here; the skin follows once the fit has ended.  With G_j the rotation of
joint j in space, P_j its position, c_i landmark i in the rest pose and b(i) the bone it rides on:

    G_j = G_parent(j) exp(phi_j)                        phi_j = B_j theta_j
    P_j = P_parent(j) + G_parent(j) (J_j - J_parent(j))
    x_i = P_b(i) + G_b(i) (c_i - J_b(i))

J and c are linear in the shape coefficients beta.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hamer_ros.estimation.joint_limits import joint_axes
from hamer_ros.geometry.rotations import exp_so3, left_jacobian_so3
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hand_model.topology import FINGERTIP_VERTICES, OPENPOSE_FROM_MANO, PARENTS

N_ANGLES = 45
N_BETAS = 10
N_UNKNOWNS = 6 + N_ANGLES + N_BETAS
"""Rotation and translation of the wrist, joint angles and shape coefficients."""

TIPS = (4, 8, 12, 16, 20)
"""Landmarks at the fingertips."""
_BONE_OF_LANDMARK = np.array(
    [0, 13, 14, 15, 15, 1, 2, 3, 3, 4, 5, 6, 6, 10, 11, 12, 12, 7, 8, 9, 9]
)


def _ancestry() -> np.ndarray:
    """The joints that move each joint, (16, 16) bool: row j has joint j and all joints above it."""
    above = np.eye(16, dtype=bool)
    for j in range(1, 16):
        above[j] |= above[PARENTS[j]]
    return above


_MOVED_BY = _ancestry()[_BONE_OF_LANDMARK]


@dataclass(frozen=True)
class Pose:
    """The unknowns of a fit.

    orientation: (3, 3) of the wrist frame.
    translation: (3,) metres, added to the model's own wrist.
    angles: (45,) radians about `joint_axes`.
    betas: (10,) shape coefficients.
    """

    orientation: np.ndarray
    translation: np.ndarray
    angles: np.ndarray
    betas: np.ndarray

    def moved(self, step: np.ndarray) -> Pose:
        """The pose after a step (61,): left rotation, translation, angles, betas."""
        return Pose(
            exp_so3(step[:3]) @ self.orientation,
            self.translation + step[3:6],
            self.angles + step[6 : 6 + N_ANGLES],
            self.betas + step[6 + N_ANGLES :],
        )


@dataclass(frozen=True)
class Posed:
    """The result of forward kinematics, as `Kinematics.jacobian` needs it.

    landmarks: (21, 3) metres.
    rotation_vectors: (15, 3) of the finger joints, relative to their parents.
    rotations: (16, 3, 3) of the joints in space.
    joints: (16, 3) metres.
    """

    landmarks: np.ndarray
    rotation_vectors: np.ndarray
    rotations: np.ndarray
    joints: np.ndarray


class Kinematics:
    """Kinematics of the skeleton of one right-hand model."""

    def __init__(self, model: HandModel) -> None:
        regress = model.joint_regressor
        self._joints = regress @ model.v_template
        self._joint_shape = np.einsum("jv,vcb->jcb", regress, model.shapedirs)
        tips = list(FINGERTIP_VERTICES.values())
        points = np.concatenate([self._joints, model.v_template[tips]])[list(OPENPOSE_FROM_MANO)]
        self._point_shape = np.concatenate([self._joint_shape, model.shapedirs[tips]])[
            list(OPENPOSE_FROM_MANO)
        ]
        self.axes = joint_axes(self._joints, points[list(TIPS)])
        self.rest_landmarks = points

    def rotation_vectors(self, angles: np.ndarray) -> np.ndarray:
        """The rotation vectors (15, 3), MANO's ``hand_pose``, of joint angles (45,)."""
        return np.einsum("jab,jb->ja", self.axes, angles.reshape(15, 3))

    def pose(self, pose: Pose) -> Posed:
        """Compute the landmarks and joints of a pose: forward kinematics."""
        rest = self._joints + self._joint_shape @ pose.betas
        points = self.rest_landmarks + self._point_shape @ pose.betas
        phi = self.rotation_vectors(pose.angles)
        local = exp_so3(phi)
        rotations, joints = np.empty((16, 3, 3)), np.empty((16, 3))
        rotations[0], joints[0] = pose.orientation, rest[0] + pose.translation
        for j in range(1, 16):
            p = PARENTS[j]
            joints[j] = joints[p] + rotations[p] @ (rest[j] - rest[p])
            rotations[j] = rotations[p] @ local[j - 1]
        bone = _BONE_OF_LANDMARK
        offsets = points - rest[bone]
        landmarks = joints[bone] + (rotations[bone] @ offsets[:, :, None])[..., 0]
        return Posed(landmarks, phi, rotations, joints)

    def jacobian(self, posed: Posed) -> np.ndarray:
        """The derivative (21, 3, 61) of the landmarks by rotation, translation, angles, betas."""
        rotations = posed.rotations
        # columns: the axes in space that each joint's three angles turn about
        axes = np.empty((16, 3, 3))
        axes[0] = np.eye(3)
        axes[1:] = (
            rotations[list(PARENTS[1:])] @ left_jacobian_so3(posed.rotation_vectors) @ self.axes
        )
        offsets = posed.landmarks[:, None] - posed.joints[None]
        turns = np.cross(axes.transpose(0, 2, 1)[None], offsets[:, :, None, :])
        turns *= _MOVED_BY[:, :, None, None]
        jacobian = np.empty((21, 3, N_UNKNOWNS))
        jacobian[:, :, 0:3] = turns[:, 0].transpose(0, 2, 1)
        jacobian[:, :, 3:6] = np.eye(3)
        jacobian[:, :, 6:51] = turns[:, 1:].transpose(0, 3, 1, 2).reshape(21, 3, N_ANGLES)
        joint_slope = np.empty((16, 3, N_BETAS))
        joint_slope[0] = self._joint_shape[0]
        for j in range(1, 16):
            p = PARENTS[j]
            bone_slope = self._joint_shape[j] - self._joint_shape[p]
            joint_slope[j] = joint_slope[p] + rotations[p] @ bone_slope
        bone = _BONE_OF_LANDMARK
        offset_slope = self._point_shape - self._joint_shape[bone]
        jacobian[:, :, 51:] = joint_slope[bone] + rotations[bone] @ offset_slope
        return jacobian
