"""The visibility of each keypoint of a hand: 0 outside of the image, and little at its edge."""

from __future__ import annotations

import numpy as np

from hamer_ros.hands import N_JOINTS

EDGE = 0.12
"""Distance from the image's edge, as a share of the hand's size there, from which on a keypoint is
believed in full.  Nearer ones are not: of a hand that is cut off, models press the joints that they
do not see into the image, along its edge."""
WRIST_EDGE = 0.36
"""The same for the wrist and the root of the thumb, which they press in farthest."""


def _edges() -> np.ndarray:
    edges = np.full(N_JOINTS, EDGE)
    edges[[0, 1]] = WRIST_EDGE
    return edges


_EDGES = _edges()


def visibility(keypoints: np.ndarray, width: int, height: int) -> np.ndarray:
    """The visibility (21,), from 0 to 1, of keypoints (21, 2) in pixels of an image.

    It is 0 outside of the image and for what is not finite, and rises to 1 within it.

    width, height: of the image, pixels.
    """
    finite = np.isfinite(keypoints).all(1)
    if not finite.any():
        return np.zeros(N_JOINTS)
    low, high = keypoints[finite].min(0), keypoints[finite].max(0)
    size = max(float((high - low).max()), 1.0)
    margin = np.minimum(keypoints, np.array([width - 1, height - 1]) - keypoints).min(1) + 0.5
    return np.where(finite, np.clip(margin / (_EDGES * size), 0.0, 1.0), 0.0)
