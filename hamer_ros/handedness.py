"""The vote on a hand's handedness: every image adds log odds, and the hand keeps their sum."""

from __future__ import annotations

import numpy as np

from hamer_ros.geometry.probability import logit, sigmoid
from hamer_ros.hands import Handedness

MAX_VOTE = 3.0
"""Log odds that one image can add to the vote, at most."""

MAX_TALLY = 12.0
"""Log odds at which the vote saturates, so that a wrong start can still be outvoted."""


def image_vote(right: float) -> float:
    """The log odds of a right hand that one image adds, from its probability of one.

    They are at most `MAX_VOTE` either way.
    """
    return float(np.clip(logit(right, margin=1e-6), -MAX_VOTE, MAX_VOTE))


def add_vote(tally: float, right: float) -> float:
    """The log odds of a right hand after one more image, whose probability of one is ``right``."""
    return float(np.clip(tally + image_vote(right), -MAX_TALLY, MAX_TALLY))


def elected(tally: float) -> tuple[Handedness, float]:
    """The likelier handedness and its probability, 0.5 to 1, from the log odds of a right hand."""
    return Handedness.RIGHT if tally >= 0 else Handedness.LEFT, float(sigmoid(abs(tally)))
