"""Conversion of 16-bit images to 8 bits, whatever part of the 16 bits they use."""

from __future__ import annotations

import math

import cv2
import numpy as np

CLIPPED_SHARE = 0.005
"""Share of the pixels at either end that is clipped: hot pixels, dead rows, a lamp."""
_BELOW, _ABOVE = 0.25, 0.06
"""Margins below the darkest and above the brightest pixel that counts, as shares of the distance
between them: a picture that is dark somewhere keeps its own black, and few pixels are clipped."""
_NARROWEST = 255.0
"""Least number of values between black and white: one step of the sensor is one step of grey."""
_STEADY_PART = 1 / 64
"""The same as a share of the values, because noise is large as well where a sensor's 12 bits are
the upper ones of 16; of a thermal camera's hundredths of a kelvin it is 5 kelvin."""
_SAMPLES = 16_384
"""Approximate number of pixels that are sampled."""
_FOLLOW = 0.1
"""Share of the difference to a new image's window by which the window moves."""
_OVERLAP = 0.25
"""Least overlap of two windows, as a share of their union, up to which the window is followed;
below it the images show something else."""


class Stretch:
    """Maps the values of a stream of 16-bit images to 8 bits, between its black and its white.

    Both follow the percentiles of the images slowly, so that brightness does not flicker, but at
    once where a stream changes.  A new one takes both from its first image.
    """

    def __init__(self) -> None:
        self._window: tuple[float, float] | None = None

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return uint16 values, (H, W) or (H, W, C), as uint8 of the same shape.

        All channels have one black and one white, so that colours stay what they are.
        """
        black, white = self._window = _followed_window(self._window, window(values))
        rows, black = values.reshape(len(values), -1), round(black)
        if black:  # a negative result would come out as bright, by its magnitude
            rows = np.maximum(rows, np.uint16(black))
        scale = 255 / (white - black)
        return cv2.convertScaleAbs(rows, alpha=scale, beta=-black * scale).reshape(values.shape)


def window(values: np.ndarray) -> tuple[float, float]:
    """Return the values of a uint16 image, (H, W) or (H, W, C), that become black and white."""
    # An odd step, because an even one samples a single colour of a mosaic; and one coprime to the
    # width, so that no row or column weighs more among the samples than it does in the image.
    height, width = values.shape[:2]
    pixels = values.reshape(height * width, -1)
    skip = max(values.size // _SAMPLES, 1) | 1
    while math.gcd(skip, width) > 1:
        skip += 2
    samples = pixels[::skip].reshape(-1)
    n_clipped = max(int(CLIPPED_SHARE * len(samples)), min(1, (len(samples) - 1) // 2))
    ordered = np.partition(samples, (n_clipped, len(samples) - 1 - n_clipped))
    low, high = float(ordered[n_clipped]), float(ordered[-1 - n_clipped])
    black = max(low - _BELOW * (high - low), 0.0)
    white = high + _ABOVE * (high - low)
    missing = max(_NARROWEST, _STEADY_PART * high) - (white - black)
    if missing > 0:
        below = min(missing / 2, black)
        black, white = black - below, white + missing - below
    return black, white


def _followed_window(
    old: tuple[float, float] | None, new: tuple[float, float]
) -> tuple[float, float]:
    if old is None:
        return new
    shared = min(old[1], new[1]) - max(old[0], new[0])
    if shared < _OVERLAP * (max(old[1], new[1]) - min(old[0], new[0])):
        return new
    black, white = (was + _FOLLOW * (now - was) for was, now in zip(old, new, strict=True))
    return black, white
