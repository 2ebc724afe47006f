"""The size of a hand, which one camera cannot see: what is known of it, and its combination.

Growing a hand and its distance together changes no pixel, so the size decides the distance: 5 % of
size are 25 mm at half a metre.  What is known of it, in order of trust: a depth image, a length
that the user gave or had measured, what earlier images of the same hand said, and people's average.

Sizes are logarithms of the hand's length: wrist, along the bones, to the tip of the middle finger.
That sum does not change when the hand moves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hamer_ros.hands import PlacedHand, ScaleSource

POPULATION_LENGTH = 0.187
"""Metres; mean length of the hands of men and women (Gordon et al., ANSUR II, 2014)."""
POPULATION_SIGMA = 0.055
"""Relative spread of that length."""
STATED_SIGMA = 0.01
"""Relative standard deviation of a hand's length that a user states."""
JITTER_SIGMA = 0.04
"""Relative standard deviation of an estimator's size from image to image of one hand."""
DEPTH_BIAS_SIGMA = 0.005
"""Relative error of depth images in every image alike: the model's surface is not the hand's."""
LEARNT_AFTER = 10
"""Images after which the average size of a track is better than that of a single image."""
MEMORY = 300
"""Images over which sizes are averaged."""

_MIDDLE_FINGER = [0, 9, 10, 11, 12]


@dataclass(frozen=True)
class Size:
    """A belief about a hand's length.

    log_length: logarithm of the length in metres.
    sigma: relative standard deviation.
    source: what it rests on.
    by_focal: derivative of log_length by the logarithm of the camera's focal length, which the
        placed hand depends on that a depth image is compared with: -1 for a depth image alone.
    """

    log_length: float
    sigma: float
    source: ScaleSource
    by_focal: float = 0.0

    @property
    def length(self) -> float:
        """The length, metres."""
        return math.exp(self.log_length)


def log_length(joints: np.ndarray) -> float:
    """The logarithm of a hand's length in metres, from joints (21, 3) in metres, in any frame."""
    bones = np.diff(joints[_MIDDLE_FINGER], axis=0)
    return math.log(float(np.linalg.norm(bones, axis=1).sum()))


def log_size(placed: PlacedHand) -> float:
    """The logarithm of the placed hand's length in metres."""
    return math.log(placed.scale) + log_length(placed.hand.joints)


POPULATION = Size(math.log(POPULATION_LENGTH), POPULATION_SIGMA, ScaleSource.POPULATION_PRIOR)
"""The belief about a hand before anything is known of it."""


def stated_size(length: float, sigma: float = STATED_SIGMA) -> Size:
    """The belief from a length in metres that a user gave or had measured."""
    return Size(math.log(length), sigma, ScaleSource.PARAMETER)


def combine(a: Size, b: Size) -> Size:
    """The belief from two independent ones; its source is that of the surer one."""
    wa, wb = 1 / a.sigma**2, 1 / b.sigma**2
    mean = (wa * a.log_length + wb * b.log_length) / (wa + wb)
    by_focal = (wa * a.by_focal + wb * b.by_focal) / (wa + wb)
    surer = a if a.sigma <= b.sigma else b
    return Size(mean, math.sqrt(1 / (wa + wb)), surer.source, by_focal)


class SizeMemory:
    """The sizes of one hand in its images so far."""

    def __init__(self) -> None:
        self._estimated = _Average()
        self._measured = _Average()

    def update(self, estimated: float) -> None:
        """Take in the log length that an estimator gave."""
        self._estimated.add(estimated, JITTER_SIGMA)

    def measured(self, size: Size) -> None:
        """Take in the size that a depth image gave."""
        self._measured.add(size.log_length, size.sigma)

    def belief(self, prior: Size, estimated: float, size_sigma: float) -> Size:
        """The present belief.

        prior: belief before any image.
        estimated: log length in the present image.
        size_sigma: see `Hand`.
        """
        size = prior
        if math.isfinite(size_sigma):
            size = combine(size, self._seen(estimated, size_sigma))
        if self._measured.count:
            sigma = math.hypot(DEPTH_BIAS_SIGMA, self._measured.sigma)
            learnt = Size(self._measured.mean, sigma, ScaleSource.TRACK, by_focal=-1.0)
            size = combine(size, learnt)
        return size

    def _seen(self, estimated: float, size_sigma: float) -> Size:
        if self._estimated.count < LEARNT_AFTER:
            sigma = math.hypot(size_sigma, JITTER_SIGMA)
            return Size(estimated, sigma, ScaleSource.POPULATION_PRIOR)
        sigma = math.hypot(size_sigma, self._estimated.sigma)
        return Size(self._estimated.mean, sigma, ScaleSource.TRACK)


class _Average:
    """A mean weighted by information, which forgets what is older than `MEMORY` images."""

    def __init__(self) -> None:
        self.mean = 0.0
        self.count = 0
        self._information = 0.0

    @property
    def sigma(self) -> float:
        return math.sqrt(1 / self._information)

    def add(self, value: float, sigma: float) -> None:
        if self.count >= MEMORY:
            self._information *= 1 - 1 / MEMORY
        information = 1 / sigma**2
        self._information += information
        self.mean += (value - self.mean) * information / self._information
        self.count += 1
