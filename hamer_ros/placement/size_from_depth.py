"""Measure the size of a hand in a depth image that is aligned with the colour image.

The placed surface says how far away each visible point of the hand should be; the depth image says
how far away something is there.  On the hand both differ by one factor, the error of the guessed
size.  Holes say nothing, what the hand holds and what lies behind its fingers say something else:
so the factor is that of the largest group of points that agree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hamer_ros.camera.model import CameraModel
from hamer_ros.hands import Remark, ScaleSource
from hamer_ros.placement.size import Size

PIXEL_SIGMA = 0.004
"""Metres; standard deviation of the difference between placed surface and depth image at a point.
"""
WINDOW = 0.02
"""Metres; half the width of a group of points that agree."""
FARTHEST = 0.30
"""Logarithm of the greatest factor that is looked for."""
LEAST_POINTS = 30
"""Points that must agree."""

_UNITS = {
    10.0: "0.1 mm",
    1000.0: "millimetres, where metres were announced",
    0.001: "metres, where millimetres were announced",
}
"""Ratio of a depth image to the distance -> the unit that it may be in."""


@dataclass(frozen=True)
class Factor:
    """The ratio of a hand's true size to its placed one.

    log: the logarithm of the ratio.
    sigma: its standard deviation.
    """

    log: float
    sigma: float

    def of(self, log_length: float) -> Size:
        """The size of the hand, from the logarithm of the length with which it was placed.

        A longer focal length than the true one puts the hand too far away, and makes it look too
        large beside its depth, by the same factor.
        """
        return Size(log_length + self.log, self.sigma, ScaleSource.DEPTH, by_focal=-1.0)


def log_factor(
    vertices: np.ndarray, faces: np.ndarray, depth: np.ndarray, camera: CameraModel
) -> Factor | Remark:
    """The ratio of true size to placed size, or the remark why the depth image does not give it.

    vertices: (V, 3) metres, camera frame.
    faces: (F, 3) of a closed surface, seen from outside.
    depth: (H, W) float32 metres, not finite or 0 where there is none; of the camera's size.
    """
    points = vertices[_facing(vertices, faces)]
    pixels = camera.project(points)
    columns, rows = np.round(np.nan_to_num(pixels, nan=-1.0)).astype(int).T
    height, width = depth.shape
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    expected = points[inside, 2]
    found = depth[rows[inside], columns[inside]].astype(float)
    valid = np.isfinite(found) & (found > 0)
    ratio = np.log(found[valid] / expected[valid])
    near = np.abs(ratio) < FARTHEST
    if near.sum() < LEAST_POINTS:
        return _unusable(ratio, int(near.sum()))
    ratio, expected = ratio[near], expected[valid][near]
    window = WINDOW / float(expected.mean())
    center = _largest_group(ratio, window)
    for _ in range(3):
        members = ratio[np.abs(ratio - center) < window]
        center = float(np.median(members))
    if len(members) < LEAST_POINTS:
        return _unusable(members, len(members))
    center = float(members.mean())
    return Factor(center, _sigma(members, float(expected.mean())))


def _unusable(ratio: np.ndarray, agreeing: int) -> Remark:
    """The remark why too few points agree with the hand.

    ratio: (N,) log (found / expected), where depth was found.
    agreeing: number of points that agree.
    """
    if len(ratio) == 0:
        return Remark(
            "depth empty on the hand",
            "the depth image has no value where the hand is; does the camera measure that near?",
        )
    factor = math.exp(float(np.median(ratio)))
    if len(ratio) >= LEAST_POINTS and abs(math.log(factor)) >= FARTHEST:
        unit = next((u for f, u in _UNITS.items() if abs(math.log(factor / f)) < FARTHEST), None)
        advice = "is it aligned with the image" if unit is None else f"is its unit {unit}"
        return Remark(
            "depth disagrees with the hand",
            f"the depth image says {factor:.3g} times the distance that the hand's size says; "
            f"{advice}?",
        )
    return Remark(
        "depth of too little of the hand",
        f"the depth image agrees with the hand in {agreeing} of its points; "
        f"{LEAST_POINTS} are needed",
    )


def _facing(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """The indices of the vertices on triangles that look at the camera.

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
    """The standard deviation of the mean of points that agree.

    Neighbouring points err alike, through pose and sensor: some 10 of them are independent.
    """
    spread = max(float(members.std()), 1e-4)
    return math.hypot(spread / math.sqrt(10.0), PIXEL_SIGMA / 2 / distance)
