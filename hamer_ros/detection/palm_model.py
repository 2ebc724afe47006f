"""Find palms in a window of an image with MediaPipe's palm models.

A single-shot detector on 192 x 192 pixels (Bazarevsky and Zhang 2019; Zhang et al. 2020,
arXiv:2006.10214): every anchor yields a score, a box and seven keypoints; overlapping palms are
blended by weighted non-maximum suppression (Bazarevsky et al. 2019, arXiv:1907.05047).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from hamer_ros.detection.roi import Roi, crop
from hamer_ros.geometry.boxes import square_iou
from hamer_ros.geometry.probability import sigmoid

INPUT_SIZE = 192
"""Side of the model's input, pixels."""
N_KEYPOINTS = 7
"""Keypoints of a palm, see `Palm`."""
MERGE_IOU = 0.3
"""Overlap above which two palms are blended."""

_GRIDS = ((24, 2), (12, 6))
"""Cells on each side of a grid, and anchors in each cell."""


@dataclass(frozen=True)
class Palm:
    """A palm in an image.

    center: (2,) pixels, of its square box.
    size: side of the box, pixels.
    keypoints: (7, 2) pixels: wrist, index, middle, ring and little finger MCP, thumb CMC, MCP.
    score: 0 to 1.
    """

    center: np.ndarray
    size: float
    keypoints: np.ndarray
    score: float


def anchors() -> np.ndarray:
    """The centres x, y (2016, 2) of the anchors, 0 to 1 across the model's input."""
    centers = []
    for cells, repeats in _GRIDS:
        axis = (np.arange(cells) + 0.5) / cells
        y, x = np.meshgrid(axis, axis, indexing="ij")
        centers.append(np.repeat(np.column_stack([x.ravel(), y.ravel()]), repeats, axis=0))
    return np.concatenate(centers)


def find_palms(
    model: Callable[[np.ndarray], list[np.ndarray]],
    image: np.ndarray,
    window: Roi,
    min_score: float,
) -> list[Palm]:
    """Find all palms that a model sees in a window of an image, not yet merged.

    Where the window reaches past the image the model sees the image mirrored; palms out there are
    left out.

    model: palm detection model, lite or full.
    image: (H, W, 3) uint8 RGB.
    window: the part of the image to search.
    min_score: palms with a lower score are left out.
    """
    boxes, logits = model(crop(image, window, INPUT_SIZE, cv2.BORDER_REFLECT_101))
    height, width = image.shape[:2]
    return [
        palm
        for palm in decode(boxes[0], logits[0, :, 0], window, min_score)
        if 0 <= palm.center[0] < width and 0 <= palm.center[1] < height
    ]


def decode(boxes: np.ndarray, logits: np.ndarray, window: Roi, min_score: float) -> list[Palm]:
    """Decode the model's outputs, one for each anchor, to palms.

    boxes: (2016, 18) input pixels: centre relative to the anchor, width, height, and the seven
        keypoints relative to the anchor.
    logits: (2016,) log odds of a palm.
    window: the part of the image that the input shows.
    min_score: palms with a lower score are left out.
    """
    scores = sigmoid(np.clip(logits.astype(np.float64), -50, 50))
    chosen = np.flatnonzero(scores >= min_score)
    values = boxes[chosen].astype(np.float64).reshape(-1, 2 + N_KEYPOINTS, 2) / INPUT_SIZE
    sizes = values[:, 1].max(axis=1) * window.size
    points = np.delete(values, 1, axis=1) + _ANCHORS[chosen, None]
    points = window.to_image(points - 0.5)
    return [
        Palm(p[0], float(size), p[1:], float(score))
        for p, size, score in zip(points, sizes, scores[chosen], strict=True)
    ]


def merge_palms(palms: Sequence[Palm]) -> list[Palm]:
    """Blend each group of overlapping palms into one, best first.

    This is weighted non-maximum suppression: the members count by their scores, and the group keeps
    its best score.
    """
    rest = sorted(palms, key=lambda palm: -palm.score)
    merged = []
    while rest:
        centers, sizes = np.array([palm.center for palm in rest]), np.array([p.size for p in rest])
        overlaps = square_iou(centers[0], rest[0].size, centers, sizes) > MERGE_IOU
        # A box without area overlaps nothing, not even itself.
        overlaps[0] = True
        merged.append(_blend([palm for palm, member in zip(rest, overlaps, strict=True) if member]))
        rest = [palm for palm, member in zip(rest, overlaps, strict=True) if not member]
    return merged


def _blend(group: list[Palm]) -> Palm:
    weights = np.array([palm.score for palm in group])
    weights /= weights.sum()
    return Palm(
        center=weights @ np.array([palm.center for palm in group]),
        size=float(weights @ [palm.size for palm in group]),
        keypoints=np.einsum("i,ijk->jk", weights, np.array([palm.keypoints for palm in group])),
        score=max(palm.score for palm in group),
    )


_ANCHORS = anchors()
