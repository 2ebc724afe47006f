"""Errors of an estimated hand against a known one, as the field measures them.

All take joints or vertices (N, 3) in metres and return a mean distance in metres.
"""

from __future__ import annotations

import numpy as np


def similarity(source: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Scale, rotation and translation that bring source onto target best (Umeyama, PAMI 1991)."""
    a, b = source - source.mean(0), target - target.mean(0)
    u, singular, vt = np.linalg.svd(b.T @ a)
    signs = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    rotation = u @ np.diag(signs) @ vt
    scale = float((singular * signs).sum() / (a**2).sum())
    return scale, rotation, target.mean(0) - scale * rotation @ source.mean(0)


def procrustes(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The source after the best similarity, (N, 3)."""
    scale, rotation, translation = similarity(source, target)
    return scale * source @ rotation.T + translation


def mpjpe(estimate: np.ndarray, truth: np.ndarray) -> float:
    """Mean per joint position error, in the camera's frame as it is."""
    return float(np.linalg.norm(estimate - truth, axis=1).mean())


def pa_mpjpe(estimate: np.ndarray, truth: np.ndarray) -> float:
    """Mean per joint position error after Procrustes alignment: the error of the pose alone."""
    return mpjpe(procrustes(estimate, truth), truth)


def weak_perspective_translation(arms: np.ndarray, plane: np.ndarray) -> np.ndarray:
    """Where HaMeR's own formula puts the wrist, given the true focal length: z = f / s.

    arms: (N, 3) joints from the wrist, turned as in the camera.  plane: (N, 2) keypoints on the
    plane z = 1.  The scale s and offset are those that fit best, as a perfect network would have
    predicted them.  The yardstick for every placement.
    """
    a = np.zeros((2 * len(arms), 3))
    a[0::2, 0], a[1::2, 0], a[0::2, 1], a[1::2, 2] = arms[:, 0], arms[:, 1], 1, 1
    scale, x, y = np.linalg.lstsq(a, plane.ravel(), rcond=None)[0]
    return np.array([x, y, 1.0]) / scale
