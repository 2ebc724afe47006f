"""Axis-aligned boxes in an image: overlap, mirroring, and the box around points.

A box (4,) is x_min, y_min, x_max, y_max in pixels.
"""

from __future__ import annotations

import numpy as np


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The intersection over union (N, M) of the boxes a (N, 4) and b (M, 4)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    area_a = np.clip(a[:, 2:] - a[:, :2], 0, None).prod(axis=1)
    area_b = np.clip(b[:, 2:] - b[:, :2], 0, None).prod(axis=1)
    return _iou(low, high, area_a[:, None] + area_b[None])


def square_iou(
    center: np.ndarray, size: float, centers: np.ndarray, sizes: np.ndarray
) -> np.ndarray:
    """The intersection over union (N,) of one square and others.

    center: (2,) pixels.
    size: its side, pixels.
    centers: (N, 2) pixels.
    sizes: (N,) their sides, pixels.
    """
    low = np.maximum(centers - sizes[:, None] / 2, center - size / 2)
    high = np.minimum(centers + sizes[:, None] / 2, center + size / 2)
    return _iou(low, high, sizes**2 + size**2)


def box_around(points: np.ndarray, margin: float = 0.0) -> np.ndarray:
    """The box (4,) around points (N, 2).

    margin: added on each side, as a share of the longer side.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    added = margin * (high - low).max()
    return np.concatenate([low - added, high + added])


def mirrored_box(box: np.ndarray, width: int) -> np.ndarray:
    """The box (4,) in the pixels of the image flipped left to right.

    width: of the image, pixels.
    """
    x_min, y_min, x_max, y_max = box
    return np.array([width - 1 - x_max, y_min, width - 1 - x_min, y_max])


def _iou(low: np.ndarray, high: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """The intersection (..., 2) from low to high, over the sum (...) of both areas less it."""
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    return shared / np.maximum(areas - shared, 1e-9)
