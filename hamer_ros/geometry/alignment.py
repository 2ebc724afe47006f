"""Alignment of point sets by rotation or similarity, and the errors of joints that build on it.

Points are joints or vertices (N, 3) in metres; errors are mean distances in metres.
"""

from __future__ import annotations

import numpy as np


def kabsch(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The rotation (3, 3) about the centroid that brings source onto target best.

    W. Kabsch, "A solution for the best rotation to relate two sets of vectors" (1976).
    """
    return _rotation(source - source.mean(0), target - target.mean(0))[0]


def similarity(source: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """The scale, rotation and translation that bring source onto target best.

    S. Umeyama, "Least-squares estimation of transformation parameters" (PAMI 1991).
    """
    a, b = source - source.mean(0), target - target.mean(0)
    rotation, singular = _rotation(a, b)
    scale = float(singular.sum() / (a**2).sum())
    return scale, rotation, target.mean(0) - scale * rotation @ source.mean(0)


def procrustes(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The source (N, 3) after the best similarity."""
    scale, rotation, translation = similarity(source, target)
    return scale * source @ rotation.T + translation


def mpjpe(estimate: np.ndarray, truth: np.ndarray) -> float:
    """The mean per joint position error, in the camera's frame as it is."""
    return float(np.linalg.norm(estimate - truth, axis=1).mean())


def pa_mpjpe(estimate: np.ndarray, truth: np.ndarray) -> float:
    """The mean per joint position error after Procrustes alignment: that of the pose alone."""
    return mpjpe(procrustes(estimate, truth), truth)


def weak_perspective_translation(offsets: np.ndarray, plane: np.ndarray) -> np.ndarray:
    """The wrist's translation (3,) by HaMeR's own formula, given the true focal length: z = f / s.

    The scale s and offset are those that fit best, as a perfect network would have predicted them.
    The yardstick for every placement.

    offsets: (N, 3) joints from the wrist, metres, turned as in the camera.
    plane: (N, 2) keypoints on the plane z = 1.
    """
    a = np.zeros((2 * len(offsets), 3))
    a[0::2, 0], a[1::2, 0], a[0::2, 1], a[1::2, 2] = offsets[:, 0], offsets[:, 1], 1, 1
    scale, x, y = np.linalg.lstsq(a, plane.ravel(), rcond=None)[0]
    return np.array([x, y, 1.0]) / scale


def _rotation(source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rotation (3, 3) from centred source to target, and its singular values (3,).

    The last of them is negative where the best orthogonal matrix is a reflection.
    """
    u, singular, vt = np.linalg.svd(target.T @ source)
    signs = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    return u @ np.diag(signs) @ vt, singular * signs
