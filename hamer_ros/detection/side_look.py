"""Tell the side of the hand in a box, with MediaPipe's landmark net.

The net wants to see a hand upright, and a box does not say how the hand is turned.  So it looks
with the box turned four ways, and once more where the surest look saw the joints.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from hamer_ros.detection.crop import Region, region_from_landmarks
from hamer_ros.detection.landmark import see_landmarks
from hamer_ros.nets.device import Provider
from hamer_ros.nets.session import CPU, Net
from hamer_ros.nets.store import net_path

TURNS = (0.0, math.pi / 2, math.pi, -math.pi / 2)
"""Radians, of the first looks."""

GROWTH = 1.4
"""Side of the first looks relative to the longer side of the box."""

MIN_PRESENCE = 0.3
"""Presence in the last look below which it tells nothing."""


class SideByLandmarks:
    """Asks the landmark net, which is loaded when it is needed first."""

    def __init__(self, providers: tuple[Provider, ...] = CPU, threads: int = 1) -> None:
        self._providers = providers
        self._threads = threads

    @cached_property
    def net(self) -> Net:
        """The landmark net of the cache.

        Raises:
            NetsMissingError: it has not been fetched.
            ConfigurationError: onnxruntime does not have one of the providers.
        """
        return Net(net_path("hand_landmark_full"), self._providers, self._threads)

    def __call__(self, rgb: np.ndarray, box: np.ndarray) -> float:
        """Probability that the box (4,) in an image (H, W, 3) uint8 is around a right hand.

        It is 0.5 where the net sees no hand.
        """
        x, y = (box[:2] + box[2:]) / 2
        size = GROWTH * float((box[2:] - box[:2]).max())
        first = [
            see_landmarks(self.net, rgb, Region(float(x), float(y), size, turn)) for turn in TURNS
        ]
        surest = max(first, key=lambda sighting: sighting.landmarks.presence)
        again = see_landmarks(self.net, rgb, region_from_landmarks(surest.landmarks.pixels))
        return again.right if again.landmarks.presence >= MIN_PRESENCE else 0.5
