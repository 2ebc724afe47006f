"""The vote on a hand's side: every image adds log odds, and the hand keeps their sum."""

from __future__ import annotations

import numpy as np

from hamer_ros.hands import Side

MAX_VOTE = 3.0
"""Log odds that one image can add to the vote on the side."""

MAX_TALLY = 12.0
"""Log odds at which the vote saturates, so that a wrong start can still be outvoted."""


def side_vote(right: float) -> float:
    """Log odds of a right hand that one image adds, at most MAX_VOTE either way."""
    p = np.clip(right, 1e-6, 1 - 1e-6)
    return float(np.clip(np.log(p / (1 - p)), -MAX_VOTE, MAX_VOTE))


def add_vote(tally: float, right: float) -> float:
    """The log odds of a right hand after one more image, which says ``right`` (0 to 1)."""
    return float(np.clip(tally + side_vote(right), -MAX_TALLY, MAX_TALLY))


def elected(tally: float) -> tuple[Side, float]:
    """The more likely side and its probability, 0.5 to 1, from the log odds of a right hand."""
    return Side.RIGHT if tally >= 0 else Side.LEFT, float(1 / (1 + np.exp(-abs(tally))))
