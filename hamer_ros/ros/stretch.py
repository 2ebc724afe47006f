"""Images of 16 bits as images of 8, whatever part of the 16 bits they use."""

from __future__ import annotations

import math

import cv2
import numpy as np

OUTSIDE = 0.005
"""The part of the pixels, at either end, that does not count: hot ones, dead rows, a lamp."""
_BELOW, _ABOVE = 0.25, 0.06
"""Room left below the darkest and above the brightest pixel that counts, in parts of the distance
between them: a picture that is dark somewhere keeps its own black, and the clipped ones are few."""
_NARROWEST = 255.0
"""Values that are spread over all greys at the least: a step of the sensor is a step of grey."""
_STEADY_PART = 1 / 64
"""The same as a part of the values, for where a sensor's 12 bits are the upper ones of 16 noise is
large as well; of a thermal camera's hundredths of a kelvin it is 5 kelvin."""
_SAMPLES = 16_384
"""Pixels that are looked at, about."""
_FOLLOW = 0.1
"""The part of a difference that the window moves with every image."""
_OVERLAP = 0.25
"""Below this, of the two windows together, the images show something else: no more following."""


class Stretch:
    """What is black and what is white in a stream of images of 16 bits.

    Both follow the percentiles of the images slowly, so that brightness does not flicker, but at
    once where a stream changes.  A fresh one takes both from its first image.
    """

    def __init__(self) -> None:
        self._window: tuple[float, float] | None = None

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """uint16 values, (H, W) or (H, W, C), as uint8 of the same shape.

        All channels have one black and one white, so that colours stay what they are.
        """
        black, white = self._window = _followed(self._window, window(values))
        rows, black = values.reshape(len(values), -1), round(black)
        if black:  # what is darker would come out as bright, by its magnitude
            rows = np.maximum(rows, np.uint16(black))
        scale = 255 / (white - black)
        return cv2.convertScaleAbs(rows, alpha=scale, beta=-black * scale).reshape(values.shape)


def window(values: np.ndarray) -> tuple[float, float]:
    """The values of uint16 (H, W) or (H, W, C) that are shown as black and as white."""
    # An odd number, for an even one sees a single colour of a mosaic; and prime to the width, or
    # nearly, so that no row or column weighs more among the samples than it does in the image.
    height, width = values.shape[:2]
    pixels = values.reshape(height * width, -1)
    skip = max(values.size // _SAMPLES, 1) | 1
    while math.gcd(skip, width) > 1:
        skip += 2
    samples = pixels[::skip].reshape(-1)
    beyond = max(int(OUTSIDE * len(samples)), min(1, (len(samples) - 1) // 2))
    ordered = np.partition(samples, (beyond, len(samples) - 1 - beyond))
    low, high = float(ordered[beyond]), float(ordered[-1 - beyond])
    black = max(low - _BELOW * (high - low), 0.0)
    white = high + _ABOVE * (high - low)
    missing = max(_NARROWEST, _STEADY_PART * high) - (white - black)
    if missing > 0:
        below = min(missing / 2, black)
        black, white = black - below, white + missing - below
    return black, white


def _followed(old: tuple[float, float] | None, new: tuple[float, float]) -> tuple[float, float]:
    if old is None:
        return new
    shared = min(old[1], new[1]) - max(old[0], new[0])
    if shared < _OVERLAP * (max(old[1], new[1]) - min(old[0], new[0])):
        return new
    black, white = (was + _FOLLOW * (now - was) for was, now in zip(old, new, strict=True))
    return black, white
