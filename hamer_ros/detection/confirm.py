"""Tell a hand from a mere palm: look several times, each time a little differently.

The landmark net answers with 21 joints wherever it looks.  On a hand its answers agree, and it
is sure of each of them; on something else it is sure at times, and its joints follow the crop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from hamer_ros.detection.crop import Region, region_from_landmarks, region_from_palm
from hamer_ros.detection.landmark import Sighting, see_landmarks
from hamer_ros.detection.palm import Palm
from hamer_ros.hands import Landmarks

MIN_EVIDENCE = 1.0
"""Log odds before the looks plus those of the looks; see Confirmation."""

MAX_SPREAD = 0.12
"""Spread of the joints over the looks, relative to the hand, that a real hand stays below."""

MIN_PRESENCES = (0.1, 0.2, 0.2)
"""Presence below which the first, second and third look give up.  Where the net sees nothing at
first but something after it was led along by its own joints, there is no hand."""

_JITTERS = (
    # turn (radians), size factor, shift right and down in the crop (relative to its size)
    (0.26, 1.0, 0.0, 0.0),
    (-0.26, 1.0, 0.0, 0.0),
    (0.0, 1.15, 0.04, 0.0),
    (0.0, 0.87, -0.04, 0.04),
    (0.0, 1.0, 0.0, -0.06),
)


@dataclass(frozen=True)
class Confirmation:
    """A hand that stood up to several looks.

    sighting: the median of the looks.
    evidence: log odds before the looks, such as a palm's, plus those of the second least sure look:
        one look may fail on a real hand.
    """

    sighting: Sighting
    evidence: float


def confirm(
    net: Callable[[np.ndarray], list[np.ndarray]],
    image: np.ndarray,
    palm: Palm,
    is_known: Callable[[Sighting], bool] = lambda _: False,
) -> Confirmation | None:
    """Look at the hand to which a palm seems to belong; None if it is not one.

    Args:
        net: hand landmark net.
        image: (H, W, 3) uint8 RGB.
        palm: where to look.
        is_known: tells the hands that need no confirmation; None for them as well.
    """
    region = region_from_palm(palm.center, palm.size, palm.keypoints)
    # The palm places the crop roughly; two more looks place it by the joints of the one before.
    for look, min_presence in enumerate(MIN_PRESENCES):
        sighting = see_landmarks(net, image, region)
        # A followed hand whose palm the nets see elsewhere: five more looks would not change that.
        if sighting.landmarks.presence < min_presence or (look > 0 and is_known(sighting)):
            return None
        region = region_from_landmarks(sighting.landmarks.pixels)
    return look_around(net, image, region, log_odds(palm.score))


def look_around(
    net: Callable[[np.ndarray], list[np.ndarray]], image: np.ndarray, region: Region, prior: float
) -> Confirmation | None:
    """Look at a region several times; None if there is no hand in it.

    Args:
        net: hand landmark net.
        image: (H, W, 3) uint8 RGB.
        region: around the hand.
        prior: log odds that there is one, before the looks.
    """
    looks: list[Sighting] = []
    evidence = np.inf
    for jittered in jittered_regions(region):
        looks.append(see_landmarks(net, image, jittered))
        if len(looks) > 1:
            presences = sorted(look.landmarks.presence for look in looks)
            evidence = prior + log_odds(presences[1])
        if evidence < MIN_EVIDENCE:  # more looks cannot raise it
            return None
    if spread([look.landmarks for look in looks]) > MAX_SPREAD:
        return None
    return Confirmation(_median(looks, region), evidence)


def jittered_regions(region: Region) -> list[Region]:
    """The region turned, grown, shrunk and shifted a little."""
    regions = []
    for angle, factor, right, down in _JITTERS:
        x, y = region.to_image(np.array([right, down]))
        regions.append(
            replace(
                region,
                x=float(x),
                y=float(y),
                size=region.size * factor,
                rotation=region.rotation + angle,
            )
        )
    return regions


def log_odds(probability: float) -> float:
    """Log odds of a probability, kept within those of 0.005 and 0.995."""
    p = float(np.clip(probability, 0.005, 0.995))
    return float(np.log(p / (1 - p)))


def extent(pixels: np.ndarray) -> float:
    """Longer side of the upright box around the joints (21, 2)."""
    return float(np.ptp(pixels, axis=0).max())


def spread(looks: list[Landmarks]) -> float:
    """Mean distance of the joints from their medians over the looks, relative to the hand."""
    pixels = np.array([look.pixels for look in looks])
    median = np.median(pixels, axis=0)
    distance = float(np.linalg.norm(pixels - median, axis=2).mean())
    return distance / max(extent(median), 1e-9)


def _median(looks: list[Sighting], region: Region) -> Sighting:
    landmarks = Landmarks(
        pixels=np.median([look.landmarks.pixels for look in looks], axis=0),
        world=np.median([look.landmarks.world for look in looks], axis=0),
        presence=float(np.median([look.landmarks.presence for look in looks])),
    )
    return Sighting(landmarks, float(np.median([look.right for look in looks])), region)
