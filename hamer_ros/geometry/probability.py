"""Probabilities and their log odds."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np

Number = TypeVar("Number", float, np.ndarray)


def logit(probability: float, margin: float) -> float:
    """The log odds log(p / (1 - p)) of a probability.

    margin: the least distance from 0 and 1 that p is given, which keeps its log odds finite.
    """
    p = min(max(probability, margin), 1 - margin)
    return math.log(p / (1 - p))


def sigmoid(log_odds: Number) -> Number:
    """The probability 1 / (1 + exp(-x)) of log odds x: the inverse of `logit`."""
    return 1 / (1 + np.exp(-log_odds))
