"""Other methods to place a hand, for comparison: rotation and translation of the wrist."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from bench.placement_scenes import Scene
from hamer_ros.geometry.alignment import weak_perspective_translation

Pose = tuple[np.ndarray, np.ndarray]


def sqpnp(scene: Scene) -> Pose:
    """Return the pose by OpenCV's SQPnP (Terzakis and Lourakis, ECCV 2020)."""
    return _opencv(scene, refine=False)


def pnp(scene: Scene) -> Pose:
    """Return the pose by SQPnP, refined on reprojection: free PnP over rotation and translation."""
    return _opencv(scene, refine=True)


def translation_only(scene: Scene) -> Pose:
    """Return the translation by linear least squares, with the estimated rotation."""
    offsets, plane = _offsets(scene), _plane(scene)
    a, b = np.zeros((42, 3)), np.zeros(42)
    for k in range(2):
        a[k::2, k], a[k::2, 2] = 1, -plane[:, k]
        b[k::2] = plane[:, k] * offsets[:, 2] - offsets[:, k]
    return scene.hand.orientation, np.linalg.lstsq(a, b, rcond=None)[0]


def weak_perspective(scene: Scene) -> Pose:
    """Return the pose by HaMeR's formula with the true focal length."""
    return scene.hand.orientation, weak_perspective_translation(_offsets(scene), _plane(scene))


PEERS: dict[str, Callable[[Scene], Pose]] = {
    "sqpnp": sqpnp,
    "pnp": pnp,
    "translation_only": translation_only,
    "weak_perspective": weak_perspective,
}


def _opencv(scene: Scene, *, refine: bool) -> Pose:
    plane = np.ascontiguousarray(_plane(scene))
    joints = np.ascontiguousarray(scene.hand.joints)
    eye, no_distortion = np.eye(3), np.zeros(4)
    _, rotation, translation = cv2.solvePnP(
        joints, plane, eye, no_distortion, flags=cv2.SOLVEPNP_SQPNP
    )
    if refine:
        _, rotation, translation = cv2.solvePnP(
            joints,
            plane,
            eye,
            no_distortion,
            rotation,
            translation,
            useExtrinsicGuess=True,
            flags=cv2.SOLVEPNP_ITERATIVE,
        )
    return cv2.Rodrigues(rotation)[0], translation.ravel()


def _offsets(scene: Scene) -> np.ndarray:
    return scene.hand.joints @ scene.hand.orientation.T


def _plane(scene: Scene) -> np.ndarray:
    """Return the keypoints without lens and intrinsics."""
    rays = scene.camera.unproject(scene.hand.keypoints)
    return rays[:, :2] / rays[:, 2:]
