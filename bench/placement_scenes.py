"""Made-up hands before made-up cameras, with everything known, for tests of the placement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hamer_ros.camera.model import CameraModel
from hamer_ros.estimation.joint_limits import angle_range
from hamer_ros.estimation.kinematics import Kinematics
from hamer_ros.geometry.rotations import MIRROR, exp_so3, matrix_from_quaternion
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hand_model.skinning import forward, relative_to_wrist
from hamer_ros.hands import Detection, Hand, Handedness

CAMERAS = (
    CameraModel(1280, 960, 600.0, 605.0, 645.0, 470.0),
    CameraModel(
        1280, 960, 610.0, 600.0, 630.0, 485.0, "plumb_bob", (-0.20, 0.03, 1e-3, -8e-4, 0.0)
    ),
    CameraModel(
        1280, 960, 560.0, 560.0, 640.0, 475.0, "equidistant", (-0.02, 0.015, -0.008, 0.001)
    ),
)
DISTANCE = (0.25, 1.2)
"""Nearest and farthest distance, metres."""
LEAST_DEPTH = 0.1
"""Metres of the nearest joint: a large hand at 45 degrees is moved away until it lies in front."""


@dataclass(frozen=True)
class Errors:
    """The errors of a placement's input; standard deviations, and a count.

    pixel: of a keypoint, pixels.
    outliers: how many of the 21 keypoints are 50 to 200 px off.
    joint: of an estimated joint along each axis, metres.  The error is independent of the estimate,
        as it is with a network that was trained to make it small.
    size: of the hand's size, relative.
    rotation: of the estimated rotation about each axis, rad.
    """

    pixel: float = 0.0
    outliers: int = 0
    joint: float = 0.0
    size: float = 0.0
    rotation: float = 0.0


@dataclass(frozen=True)
class Scene:
    """A hand as estimated, and its true pose; joints (21, 3) are the true ones in the camera."""

    hand: Hand
    camera: CameraModel
    rotation: np.ndarray
    joints: np.ndarray


def scenes(
    count: int, errors: Errors, seed: int, off_axis: tuple[float, float] = (0.0, 45.0)
) -> list[Scene]:
    """Return left and right hands, half of them the model's and half mere sets of joints.

    off_axis: degrees between the optical axis and the hand.
    """
    rng = np.random.default_rng(seed)
    model = HandModel.default()
    kinematics = Kinematics(model)
    return [
        _scene(rng, k, _vertices(rng, k, model, kinematics), errors, off_axis) for k in range(count)
    ]


def _vertices(
    rng: np.random.Generator, k: int, model: HandModel, kinematics: Kinematics
) -> tuple[np.ndarray, np.ndarray]:
    """Return joints (21, 3) and vertices of a right hand, wrist at the origin."""
    if k % 2:
        spread = rng.uniform([0.03, 0.015, 0.02], [0.05, 0.03, 0.04])
        joints = spread * rng.normal(size=(21, 3)) - [0.08, 0, 0]
        joints[0] = 0
        return joints, joints
    usual = angle_range()
    angles = usual.mean + 0.7 * usual.spread * rng.normal(size=45)
    turns = exp_so3(kinematics.rotation_vectors(np.clip(angles, usual.lower, usual.upper)))
    betas = 0.7 * rng.normal(size=10)
    hand = relative_to_wrist(forward(model, np.concatenate([np.eye(3)[None], turns]), betas))
    return hand.joints, hand.vertices


def _scene(
    rng: np.random.Generator,
    k: int,
    shape: tuple[np.ndarray, np.ndarray],
    errors: Errors,
    off_axis: tuple[float, float],
) -> Scene:
    camera = CAMERAS[k % len(CAMERAS)]
    handedness = Handedness.LEFT if k // 2 % 2 else Handedness.RIGHT
    mirror = MIRROR if handedness is Handedness.LEFT else np.eye(3)
    estimated, vertices = shape[0] @ mirror, shape[1] @ mirror
    true = np.exp(errors.size * rng.normal()) * (
        estimated + errors.joint * rng.normal(size=estimated.shape)
    )
    rotation = matrix_from_quaternion(rng.normal(size=4))
    off_axis_angle = np.radians(rng.uniform(*off_axis))
    azimuth = rng.uniform(0, 2 * np.pi)
    ray = np.array(
        [
            np.sin(off_axis_angle) * np.cos(azimuth),
            np.sin(off_axis_angle) * np.sin(azimuth),
            np.cos(off_axis_angle),
        ]
    )
    middle = estimated.mean(0)
    joints = (true - middle) @ rotation.T
    nearest = (LEAST_DEPTH - joints[:, 2].min()) / ray[2]
    joints = joints + max(rng.uniform(*DISTANCE), nearest) * ray
    pixels = camera.project(joints) + errors.pixel * rng.normal(size=(21, 2))
    wrong = rng.choice(21, errors.outliers, replace=False)
    angle = rng.uniform(0, 2 * np.pi, errors.outliers)
    length = rng.uniform(50, 200, errors.outliers)
    pixels[wrong] += length[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    box = np.concatenate([pixels.min(0), pixels.max(0)])
    rotation_error = exp_so3(errors.rotation * rng.normal(size=3))
    hand = Hand(
        Detection(box, handedness, 1.0, 1.0, k),
        rotation_error @ rotation,
        np.zeros((15, 3)),
        np.zeros(10),
        vertices,
        estimated,
        pixels,
        np.ones(21),
    )
    return Scene(hand, camera, rotation, joints)
