"""The One-Euro filter (Casiez, Roussel and Vogel, CHI 2012) on any space with a logarithm.

The published algorithm filters a number x at a rate 1 / dt:

    dx  = (x - x^) / dt                              x^ being the last filtered value
    dx^ = dx^ + alpha(d_cutoff) (dx - dx^)
    x^  = x^  + alpha(min_cutoff + beta |dx^|) (x - x^)
    alpha(f) = 1 / (1 + 1 / (2 pi f dt))

Only the difference x - x^ is ever used, so that the same lines filter vectors, with the length of
dx^ for its modulus, and rotations, with log(R R^^T) for the difference and exp for the sum.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np

Number = TypeVar("Number", float, np.ndarray)

LEAST_STEP = 1e-3
"""Seconds; images that are stamped closer together (or alike) count as this far apart, so that a
camera with broken stamps is followed rather than frozen."""


def alpha(cutoff: Number, dt: float) -> Number:
    """The smoothing factor of a low-pass of first order.

    cutoff: hertz.
    dt: seconds.
    """
    turns = (2 * math.pi * dt) * cutoff
    return turns / (1 + turns)


def low_pass_rate(
    rate: np.ndarray, difference: np.ndarray, dt: float, d_cutoff: float
) -> np.ndarray:
    """The low-passed speed dx^ (...), from the last one and the difference x - x^ (...)."""
    return rate + alpha(d_cutoff, dt) * (difference / dt - rate)


def gain(speed: Number, dt: float, min_cutoff: float, beta: float) -> Number:
    """The share of the difference x - x^ that is made up for.

    speed: |dx^|.
    """
    return alpha(min_cutoff + beta * speed, dt)
