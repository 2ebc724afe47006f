"""Boxes of hands found in one image, and the suppression of those that show the same hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hamer_ros.detection.suppression import CLEAR_HANDEDNESS
from hamer_ros.geometry.boxes import iou

SAME_IOU = 0.5
"""Overlap above which two boxes are the same thing."""

OPPOSITE_IOU = 0.8
"""The same where one is clearly a right hand and the other clearly a left one: folded hands fill
nearly the same box."""

MAX_CANDIDATES = 300
"""Boxes that suppression takes, those of the best scores, as in the exports of YOLO."""


@dataclass(frozen=True)
class FoundBox:
    """A box around a hand in one image.

    bounding_box: (4,) float64 pixels: x_min, y_min, x_max, y_max.
    score: confidence that it is a hand, 0 to 1.
    right: probability that it is a right hand; None where the model does not tell.
    """

    bounding_box: np.ndarray
    score: float
    right: float | None


def suppress(boxes: np.ndarray, scores: np.ndarray, limit: np.ndarray | float) -> list[int]:
    """The indices of the boxes that greedy non-maximum suppression keeps, best first.

    boxes: (N, 4).
    scores: (N,).
    limit: overlap above which the box of the lower score is removed; one for all or (N, N).
    """
    covered = iou(boxes, boxes) > limit
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        if not covered[i, kept].any():
            kept.append(int(i))
    return kept


def distinct_boxes(found: Sequence[FoundBox]) -> list[FoundBox]:
    """The best box of each hand, best first."""
    best = sorted(found, key=lambda f: -f.score)[:MAX_CANDIDATES]
    if not best:
        return []
    right = np.array([0.5 if f.right is None else f.right for f in best])
    opposite = np.logical_and.outer(right > CLEAR_HANDEDNESS, right < 1 - CLEAR_HANDEDNESS)
    limit = np.where(opposite | opposite.T, OPPOSITE_IOU, SAME_IOU)
    boxes, scores = np.array([f.bounding_box for f in best]), np.array([f.score for f in best])
    return [best[i] for i in suppress(boxes, scores, limit)]
