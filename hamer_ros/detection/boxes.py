"""Boxes of hands that a net found in one image, and which of them are the same hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hamer_ros.detection.duplicates import CLEAR_SIDE

SAME_IOU = 0.5
"""Overlap above which two boxes are the same thing."""

OPPOSITE_IOU = 0.8
"""The same where one is clearly a right hand and the other clearly a left one: folded hands fill
nearly the same box."""

MAX_CANDIDATES = 300
"""Boxes of the best scores that are looked at, as in the exports of YOLO."""


@dataclass(frozen=True)
class FoundBox:
    """A box around a hand in one image.

    box: (4,) float64 pixels: x_min, y_min, x_max, y_max.
    score: confidence that it is a hand, 0 to 1.
    right: probability that it is a right hand; None where the net does not tell.
    """

    box: np.ndarray
    score: float
    right: float | None


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, M) intersection over union of the boxes a (N, 4) and b (M, 4)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    area_a = np.clip(a[:, 2:] - a[:, :2], 0, None).prod(axis=1)
    area_b = np.clip(b[:, 2:] - b[:, :2], 0, None).prod(axis=1)
    return shared / np.maximum(area_a[:, None] + area_b[None] - shared, 1e-9)


def suppress(boxes: np.ndarray, scores: np.ndarray, limit: np.ndarray | float) -> list[int]:
    """Greedy non-maximum suppression: which boxes stay, best first.

    boxes: (N, 4).  scores: (N,).
    limit: overlap above which the lower score of two goes; one for all or (N, N).
    """
    covered = iou(boxes, boxes) > limit
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        if not covered[i, kept].any():
            kept.append(int(i))
    return kept


def distinct_boxes(found: Sequence[FoundBox]) -> list[FoundBox]:
    """The boxes without those of a hand that has one of a higher score, best first."""
    best = sorted(found, key=lambda f: -f.score)[:MAX_CANDIDATES]
    if not best:
        return []
    right = np.array([0.5 if f.right is None else f.right for f in best])
    opposite = np.logical_and.outer(right > CLEAR_SIDE, right < 1 - CLEAR_SIDE)
    limit = np.where(opposite | opposite.T, OPPOSITE_IOU, SAME_IOU)
    boxes, scores = np.array([f.box for f in best]), np.array([f.score for f in best])
    return [best[i] for i in suppress(boxes, scores, limit)]
