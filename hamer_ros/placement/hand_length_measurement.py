"""Measure the length of a user's hand over some images."""

from __future__ import annotations

import math
from collections import Counter, deque

import numpy as np

from hamer_ros.hands import Handedness, PlacedHand, ScaleSource
from hamer_ros.placement.size import DEPTH_BIAS_SIGMA, Size, log_length, stated_size

SAMPLES = 30
"""Images that a measurement takes."""
MAX_SCATTER = 0.15
"""Relative standard deviation of single lengths above which they are of no hand that is held well;
that of an estimator is 0.04."""
DISTANCE_SIGMA = 0.02
"""Relative standard deviation of the distance at which a person holds a hand as asked."""
LENGTHS = (0.10, 0.30)
"""Metres that a hand's length lies between, from a child's to a giant's."""

_NO_DEPTH = "a hand was seen, but the depth image did not tell its size (/diagnostics tells why)"


class Measurement:
    """Collects lengths of one hand until there are enough.

    handedness: the hand to measure, or None for whichever is seen.
    distance: metres of the wrist from the camera, or None where a depth image says it.
    """

    def __init__(self, handedness: Handedness | None, distance: float | None) -> None:
        self._handedness = handedness
        self._distance = distance
        self._logs: deque[float] = deque(maxlen=SAMPLES)
        self._images = 0
        self._obstacles: Counter[str] = Counter()

    def add(self, hands: list[PlacedHand], focal_sigma: float = 0.0) -> Size | None:
        """Take in the hands of an image and return the length once it is known.

        An image with several hands that could be meant is not used.

        focal_sigma: of the image's camera; a length is as wrong as the focal length is.
        """
        self._images += 1
        hands = [hand for hand in hands if hand.is_finite]
        meant = [
            h for h in hands if self._handedness is None or h.hand.handedness is self._handedness
        ]
        if len(meant) != 1:
            self._obstacles[self._why_not_one(hands, meant)] += 1
            return None
        (hand,) = meant
        if self._distance is not None:
            factor = self._distance / float(np.linalg.norm(hand.translation))
            self._logs.append(log_length(hand.joints) + math.log(factor))
        elif hand.scale_source is ScaleSource.DEPTH:
            self._logs.append(log_length(hand.joints))
        else:
            self._obstacles[_NO_DEPTH] += 1
            return None
        scatter = float(np.std(self._logs))
        if len(self._logs) < SAMPLES or scatter > MAX_SCATTER:
            return None
        bias = DISTANCE_SIGMA if self._distance is not None else DEPTH_BIAS_SIGMA
        # Held still, the hand looks equally wrong in all images.
        shared = hand.hand.shared_errors.reach
        sigma = math.hypot(scatter / math.sqrt(SAMPLES), bias, shared, focal_sigma)
        return stated_size(math.exp(float(np.median(self._logs))), sigma)

    def _why_not_one(self, hands: list[PlacedHand], meant: list[PlacedHand]) -> str:
        if not hands:
            return "no hand was seen"
        if not meant:
            assert self._handedness is not None
            seen = " and ".join(sorted({f"a {h.hand.handedness.name.lower()} hand" for h in hands}))
            return f"handedness is {self._handedness.name}, but only {seen} was seen"
        if self._handedness is not None:
            handedness = self._handedness.name.lower()
            return f"{len(meant)} {handedness} hands were in view: show exactly one"
        return f"{len(meant)} hands were in view: show exactly one, or say which handedness"

    @property
    def shortfall(self) -> str:
        """The reason for which there is no length yet, in words: what most images lacked."""
        if not self._images:
            return "no image was processed (/diagnostics tells why)"
        used = len(self._logs)
        if used == SAMPLES:
            scatter = f"{100 * float(np.std(self._logs)):.0f} %"
            return f"the lengths of the last {SAMPLES} images differ by {scatter}: hold it still"
        reasons = [f"{used} images could be used, {SAMPLES} are needed"] if used else []
        for obstacle, count in self._obstacles.most_common(1):
            reasons.append(f"{obstacle} (in {count} of {self._images} images)")
        return "; ".join(reasons)


def check_length(length: float) -> str | None:
    """The reason for which this cannot be the length of a hand in metres; None if it can."""
    low, high = LENGTHS
    if low <= length <= high:
        return None
    return (
        f"a hand of {length:.3f} m from the wrist to the tip of the middle finger cannot be; "
        f"hands are {low:.2f} to {high:.2f} m long"
    )
