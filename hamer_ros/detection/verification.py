"""Verify that a palm belongs to a hand, by several looks, each a little different.

The landmark model answers with 21 joints wherever it looks.  On a hand its answers agree, and it
is sure of each of them; on something else it is sure at times, and its joints follow the crop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from hamer_ros.detection.hand_landmark_model import LandmarkObservation, see_landmarks
from hamer_ros.detection.palm_model import Palm
from hamer_ros.detection.roi import Roi, roi_from_landmarks, roi_from_palm
from hamer_ros.geometry.probability import logit
from hamer_ros.hands import Landmarks

MIN_EVIDENCE = 1.0
"""Evidence that a hand needs; see `Confirmation`."""

MAX_SPREAD = 0.12
"""Spread of the joints over the looks, relative to the hand, that a real hand stays below."""

MIN_PRESENCES = (0.1, 0.2, 0.2)
"""Presence below which the first, second and third look give up.  Where the model sees nothing at
first but something after it was led along by its own joints, there is no hand."""

MARGIN = 0.005
"""Distance from 0 and 1 that probabilities are kept at: no look is surer than that."""

_JITTERS = (
    (0.26, 1.0, 0.0, 0.0),
    (-0.26, 1.0, 0.0, 0.0),
    (0.0, 1.15, 0.04, 0.0),
    (0.0, 0.87, -0.04, 0.04),
    (0.0, 1.0, 0.0, -0.06),
)
"""Turn (radians), size factor, and shift right and down in the crop (relative to its size)."""


@dataclass(frozen=True)
class Confirmation:
    """A hand that stood up to several looks.

    observation: the median of the looks.
    evidence: log odds before the looks, such as a palm's, plus those of the second least sure look:
        one look may fail on a real hand.
    """

    observation: LandmarkObservation
    evidence: float


def confirm(
    model: Callable[[np.ndarray], list[np.ndarray]],
    image: np.ndarray,
    palm: Palm,
    is_known: Callable[[LandmarkObservation], bool] = lambda _: False,
) -> Confirmation | None:
    """Look at the hand to which a palm seems to belong; None if it is not one.

    model: hand landmark model.
    image: (H, W, 3) uint8 RGB.
    palm: where to look.
    is_known: True for hands that need no confirmation; the result is None for them as well.
    """
    roi = roi_from_palm(palm.center, palm.size, palm.keypoints)
    # The palm places the crop roughly; two more looks place it by the joints of the one before.
    for look, min_presence in enumerate(MIN_PRESENCES):
        observation = see_landmarks(model, image, roi)
        # A followed hand whose palm the models see elsewhere: five more looks change nothing.
        if observation.landmarks.presence < min_presence or (look > 0 and is_known(observation)):
            return None
        roi = roi_from_landmarks(observation.landmarks.pixels)
    return look_around(model, image, roi, logit(palm.score, MARGIN))


def look_around(
    model: Callable[[np.ndarray], list[np.ndarray]], image: np.ndarray, roi: Roi, prior: float
) -> Confirmation | None:
    """Look at a region several times; None if there is no hand in it.

    model: hand landmark model.
    image: (H, W, 3) uint8 RGB.
    roi: around the hand.
    prior: log odds that there is one, before the looks.
    """
    looks: list[LandmarkObservation] = []
    evidence = np.inf
    for jittered in jittered_rois(roi):
        looks.append(see_landmarks(model, image, jittered))
        if len(looks) > 1:
            presences = sorted(look.landmarks.presence for look in looks)
            evidence = prior + logit(presences[1], MARGIN)
        if evidence < MIN_EVIDENCE:  # more looks cannot raise it
            return None
    if spread([look.landmarks for look in looks]) > MAX_SPREAD:
        return None
    return Confirmation(_median(looks, roi), evidence)


def jittered_rois(roi: Roi) -> list[Roi]:
    """The region turned, grown, shrunk and shifted a little."""
    rois = []
    for angle, factor, right, down in _JITTERS:
        x, y = roi.to_image(np.array([right, down]))
        rois.append(
            replace(
                roi,
                x=float(x),
                y=float(y),
                size=roi.size * factor,
                rotation=roi.rotation + angle,
            )
        )
    return rois


def extent(pixels: np.ndarray) -> float:
    """The longer side of the upright box around the joints (21, 2)."""
    return float(np.ptp(pixels, axis=0).max())


def spread(looks: list[Landmarks]) -> float:
    """The mean distance of the joints from their medians over the looks, relative to the hand."""
    pixels = np.array([look.pixels for look in looks])
    median = np.median(pixels, axis=0)
    distance = float(np.linalg.norm(pixels - median, axis=2).mean())
    return distance / max(extent(median), 1e-9)


def _median(looks: list[LandmarkObservation], roi: Roi) -> LandmarkObservation:
    landmarks = Landmarks(
        pixels=np.median([look.landmarks.pixels for look in looks], axis=0),
        world=np.median([look.landmarks.world for look in looks], axis=0),
        presence=float(np.median([look.landmarks.presence for look in looks])),
    )
    return LandmarkObservation(landmarks, float(np.median([look.right for look in looks])), roi)
