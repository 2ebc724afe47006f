"""Hands made up for tests."""

from __future__ import annotations

import numpy as np

from hamer_ros.camera.model import CameraModel
from hamer_ros.geometry.rotations import exp_so3
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hand_model.skinning import forward, relative_to_wrist
from hamer_ros.hands import Detection, Hand, Handedness, PlacedHand, ScaleSource

CAMERA = CameraModel(640, 480, 600.0, 600.0, 319.5, 239.5)
MODEL = HandModel.default()
MIRROR = np.array([-1.0, 1.0, 1.0])


def detection(
    handedness: Handedness = Handedness.RIGHT, detection_id: int = 1, center: tuple = (320, 240)
) -> Detection:
    box = np.array([*np.subtract(center, 50), *np.add(center, 50)], float)
    return Detection(box, handedness, 0.97, 0.9, detection_id)


def hand_at(
    rotation: np.ndarray,
    translation: np.ndarray,
    handedness: Handedness = Handedness.RIGHT,
    camera: CameraModel = CAMERA,
    seed: int = 0,
    detection_id: int = 1,
) -> Hand:
    """A slightly bent hand whose keypoints are where a camera sees it at a pose."""
    rng = np.random.default_rng(seed)
    hand_pose = 0.25 * rng.normal(size=(15, 3))
    betas = rng.normal(size=10)
    rotations = np.concatenate([np.eye(3)[None], exp_so3(hand_pose)])
    skinned = relative_to_wrist(forward(MODEL, rotations, betas))
    vertices, joints = skinned.vertices, skinned.joints
    if handedness is Handedness.LEFT:
        vertices, joints = vertices * MIRROR, joints * MIRROR
        hand_pose = hand_pose * [1, -1, -1]
    keypoints = camera.project(joints @ rotation.T + translation)
    return Hand(
        detection(handedness, detection_id),
        rotation,
        hand_pose,
        betas,
        vertices,
        joints,
        keypoints,
        np.ones(21),
    )


def placed_at(
    translation: tuple[float, float, float] = (0.0, 0.0, 0.5),
    handedness: Handedness = Handedness.RIGHT,
    detection_id: int = 1,
    rotation: np.ndarray | None = None,
) -> PlacedHand:
    rotation = exp_so3(np.array([0.3, -0.4, 1.2])) if rotation is None else rotation
    where = np.array(translation)
    hand = hand_at(rotation, where, handedness, detection_id=detection_id)
    covariance = np.diag([1e-6, 1e-6, 1e-4, 1e-3, 1e-3, 1e-3])
    return PlacedHand(hand, rotation, where, covariance, 1.0, ScaleSource.POPULATION_PRIOR, 0.7)
