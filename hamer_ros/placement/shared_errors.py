"""What the errors that a recoverer states for its hands do to the pose of a wrist.

In the axes of the view (z along the ray to the hand) the hand is turned by w, its deviations being
the tilt about x and y and the roll about z, and its wrist is shifted by d across the ray.  Turned
by w about the middle of what is seen, the wrist moves by w x a, a being its arm from there.  Along
the ray it does so: perspective and a depth image see the middle.  Across the ray its own keypoint
holds it, to the share v that this is seen:

    dt = diag(1 - v, 1 - v, 1) (w x a) + d

Where a part of the hand is not seen, the rest says less of the whole: these deviations grow by one
over the share of the joints that is, or of the palm where this is less, which turns with the wrist.
"""

from __future__ import annotations

import math

import numpy as np

from hamer_ros.hands import Hand, SharedErrors
from hamer_ros.placement.size import log_length
from hamer_ros.rotations import skew

ON_PEOPLE = SharedErrors(
    tilt=math.radians(7.0), roll=math.radians(4.0), shift=0.02, reach=0.04, known_noise=40.0
)
"""Of the landmark fit, measured on labelled photographs of people and on rendered hands.

On people, 7.3 degrees of tilt about either axis and 4.8 of roll; 0.04 of shift, in which it counts
that other people call another point the wrist, and 0.08 of reach.  On rendered hands 6.9 and 2.8
degrees, 0.017 and 0.03.  What the tilt does to the distance comes on top of the reach.  The noise
of keypoints and joints is about as expected on both.  HaMeR's errors have not been measured and are
taken to be these.
"""

LEAST_SHARE = 0.4
"""Share of a hand below which it makes no difference any more how little is seen."""

_KNUCKLES = [5, 9, 13, 17]


def covariance(hand: Hand, rotation: np.ndarray, view: np.ndarray) -> np.ndarray:
    """(6, 6) of the wrist pose, translation first, camera frame, before the hand is scaled.

    rotation: (3, 3) wrist -> camera.  view: (3, 3) view -> camera.
    """
    stated = hand.shared_errors
    seen = _seen(hand)
    growth = _growth(seen)
    arms = hand.joints @ rotation.T @ view
    arm = arms[0] - seen @ arms / seen.sum()
    loose = 1 - seen[0]
    moved = np.vstack([-np.array([[loose], [loose], [1.0]]) * skew(arm), np.eye(3)])
    turned = growth * moved * np.array([stated.tilt, stated.tilt, stated.roll])
    shift = growth * stated.shift * math.exp(log_length(hand.joints))
    out = turned @ turned.T
    out[[0, 1], [0, 1]] += shift**2
    both = np.zeros((6, 6))
    both[:3, :3] = both[3:, 3:] = view
    return both @ out @ both.T


def _seen(hand: Hand) -> np.ndarray:
    """(21,) share of each keypoint, as compared with the one that is seen best."""
    scores = np.where(np.isfinite(hand.keypoints).all(1), hand.keypoint_scores, 0.0)
    return scores / scores.max()


def _growth(seen: np.ndarray) -> float:
    """How many times larger the errors of a hand are that is seen in part."""
    palm = 0.5 * (seen[0] + seen[_KNUCKLES].mean())
    return 1 / max(min(float(seen.mean()), float(palm)), LEAST_SHARE)
