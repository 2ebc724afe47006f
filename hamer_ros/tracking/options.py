"""The options of tracking."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class TrackerOptions:
    """Options of the smoothing and the prediction of hands.

    smoothing: publish the smoothed hand; the raw one is `TrackedHand.raw` in any case.
    min_cutoff: hertz; cutoff of the filter for a hand that is still.  Lower is calmer and, at the
        beginning of a motion, later.
    beta: hertz per metre and second; how much the cutoff rises with the speed across the image.
        Higher is quicker and, for a moving hand, less calm.
    d_cutoff: hertz; cutoff of the speed that raises the other one.
    coast_time: seconds for which a hand that is not seen is predicted before it is given up.  No
        hand is predicted for longer than three times as long as it was seen.

    The defaults: a low-pass with smoothing factor alpha leaves sqrt(alpha / (2 - alpha)) of white
    noise and trails a steady motion by (1 - alpha) / alpha frames.  At 30 frames a second a fifth
    of the noise takes alpha = 1/13, that is 0.40 Hz; 0.25 Hz leaves a sixth, and room for the
    noise that the speed brings in.  Less than one frame takes alpha > 1/2, that is 4.8 Hz, where
    the filter, its own delay counting as speed, sees twice the true speed v.  With beta = 40 that
    is reached at v = 0.07 m/s across the image and, a fifth counting, at 0.36 m/s along the ray.

    Raises:
        ValueError: a number that is not finite or out of its range; the text names it.
    """

    smoothing: bool = True
    min_cutoff: float = 0.25
    beta: float = 40.0
    d_cutoff: float = 1.0
    coast_time: float = 1.0

    def __post_init__(self) -> None:
        for name in ("min_cutoff", "d_cutoff"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} is {value}; a cutoff is positive, in hertz")
        if not (math.isfinite(self.beta) and self.beta >= 0):
            raise ValueError(f"beta is {self.beta}; it is 0 or more, in hertz per metre and second")
        if not (math.isfinite(self.coast_time) and self.coast_time >= 0):
            raise ValueError(f"coast_time is {self.coast_time}; it is 0 or more, in seconds")
