"""The covariance of a wrist pose from the errors that an estimator states for its hands.

In the axes of the view (z along the ray to the hand) the hand is turned by w, its deviations being
the tilt about x and y and the roll about z, and its wrist is shifted by d across the ray.  Turned
by w about the middle of what is seen, the wrist moves by w x a, a being its offset from there.
Along the ray it does so: perspective and a depth image see the middle.  Across the ray its own
keypoint holds it, to the share v that this is seen:

    dt = diag(1 - v, 1 - v, 1) (w x a) + d

Where a part of the hand is not seen, the rest says less of the whole: these deviations grow by one
over the share of the joints that is, or of the palm where this is less, which turns with the wrist.
"""

from __future__ import annotations

import math

import numpy as np

from hamer_ros.geometry.rotations import skew
from hamer_ros.hands import Hand
from hamer_ros.placement.size import log_length

LEAST_SHARE = 0.4
"""Share of a hand below which it makes no difference any more how little is seen."""

_KNUCKLES = [5, 9, 13, 17]


def shared_covariance(hand: Hand, rotation: np.ndarray, view: np.ndarray) -> np.ndarray:
    """The covariance (6, 6) of the wrist pose, before the hand is scaled.

    It is in the camera frame, translation first.

    rotation: (3, 3) wrist -> camera.
    view: (3, 3) view -> camera.
    """
    stated = hand.shared_errors
    seen = _seen(hand)
    growth = _growth(seen)
    offsets = hand.joints @ rotation.T @ view
    offset = offsets[0] - seen @ offsets / seen.sum()
    loose = 1 - seen[0]
    moved = np.vstack([-np.array([[loose], [loose], [1.0]]) * skew(offset), np.eye(3)])
    turned = growth * moved * np.array([stated.tilt, stated.tilt, stated.roll])
    shift = growth * stated.shift * math.exp(log_length(hand.joints))
    out = turned @ turned.T
    out[[0, 1], [0, 1]] += shift**2
    both = np.zeros((6, 6))
    both[:3, :3] = both[3:, 3:] = view
    return both @ out @ both.T


def _seen(hand: Hand) -> np.ndarray:
    """The share (21,) of each keypoint, as compared with the one that is seen best."""
    scores = np.where(np.isfinite(hand.keypoints).all(1), hand.keypoint_scores, 0.0)
    return scores / scores.max()


def _growth(seen: np.ndarray) -> float:
    """The factor by which the errors of a hand that is seen in part are larger."""
    palm = 0.5 * (seen[0] + seen[_KNUCKLES].mean())
    return 1 / max(min(float(seen.mean()), float(palm)), LEAST_SHARE)
