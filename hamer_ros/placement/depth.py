"""The size of a hand from a depth image that is aligned with the colour image.

The placed surface says how far away each visible point of the hand should be; the depth image says
how far away something is there.  On the hand both differ by one factor, the error of the guessed
size.  Holes say nothing, what the hand holds and what lies behind its fingers say something else:
so the factor is that of the largest group of points that agree.
"""

from __future__ import annotations

import math

import numpy as np

from hamer_ros.camera import CameraModel

PIXEL_SIGMA = 0.004
"""Metres; what the placed surface and the depth image differ by at one point, pose included."""
WINDOW = 0.02
"""Metres; half the width of a group of points that agree."""
FARTHEST = 0.30
"""Logarithm of the greatest factor that is looked for."""
LEAST_POINTS = 30


def log_factor(
    vertices: np.ndarray, faces: np.ndarray, depth: np.ndarray, camera: CameraModel
) -> tuple[float, float] | None:
    """Logarithm of (true size / placed size), and its standard deviation.

    vertices: (V, 3) metres, camera frame; faces: (F, 3) of a closed surface, seen from outside.
    depth: (H, W) float32 metres, not finite or 0 where there is none; of the camera's size.

    Returns None where fewer than `LEAST_POINTS` visible points have a depth.
    """
    points = vertices[_facing(vertices, faces)]
    pixels = camera.project(points)
    columns, rows = np.round(np.nan_to_num(pixels, nan=-1.0)).astype(int).T
    height, width = depth.shape
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    expected = points[inside, 2]
    found = depth[rows[inside], columns[inside]].astype(float)
    there = np.isfinite(found) & (found > 0)
    ratio = np.log(found[there] / expected[there])
    near = np.abs(ratio) < FARTHEST
    ratio, expected = ratio[near], expected[there][near]
    if len(ratio) < LEAST_POINTS:
        return None
    window = WINDOW / float(expected.mean())
    center = _largest_group(ratio, window)
    for _ in range(3):
        members = ratio[np.abs(ratio - center) < window]
        center = float(np.median(members))
    if len(members) < LEAST_POINTS:
        return None
    center = float(members.mean())
    return center, _sigma(members, float(expected.mean()))


def _facing(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Indices of the vertices on triangles that look at the camera.

    Where a finger hides the palm, the depth is the finger's: one more thing that does not agree.
    """
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    toward = -(normals * corners.mean(1)).sum(1)
    # Grazing triangles lie at the outline, where a depth image mixes hand and background.
    cosine = toward / (
        np.linalg.norm(normals, axis=1) * np.linalg.norm(corners.mean(1), axis=1) + 1e-12
    )
    return np.unique(faces[cosine > 0.5])


def _largest_group(values: np.ndarray, window: float) -> float:
    """The middle of the interval of that half width that holds the most values."""
    ordered = np.sort(values)
    ends = np.searchsorted(ordered, ordered + 2 * window, side="right")
    counts = ends - np.arange(len(ordered))
    first = int(np.argmax(counts))
    return float(np.median(ordered[first : ends[first]]))


def _sigma(members: np.ndarray, distance: float) -> float:
    """Neighbouring points err alike, through pose and sensor: some 10 of them are independent."""
    spread = max(float(members.std()), 1e-4)
    return math.hypot(spread / math.sqrt(10.0), PIXEL_SIGMA / 2 / distance)
