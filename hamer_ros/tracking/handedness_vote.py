"""Left or right by the vote of a whole track, every image counted once.

A detector votes under one of its ids, and `Detection.handedness_score` is the sum of these votes.
What an image adds is the difference from the id's last sum (see `gain` for a sum that stands
still): only that is passed on to the track, so that nothing is counted twice, a hand that is found
again under another id keeps what it had, and an id that the detector moves to another hand
does not bring its votes along.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from hamer_ros.geometry.probability import logit, sigmoid
from hamer_ros.handedness import MAX_TALLY, elected
from hamer_ros.hands import Detection, Handedness

MAX_TRACK_TALLY = MAX_TALLY - 0.5
"""Log odds at which a track's vote saturates: a little less than a detection's, so that a detector
that has become sure of the other handedness can always outvote the track."""

STANDING_VOTE = 0.5
"""Log odds that an image adds when it leaves its detection's tally as it was."""
UNCHANGED = 1e-6
"""Log odds; a tally that is turned into a probability and back differs by less."""


def log_odds(detection: Detection) -> float:
    """The log odds of a right hand that a detection has gathered so far."""
    odds = logit(detection.handedness_score, margin=1e-9)
    odds = odds if detection.handedness is Handedness.RIGHT else -odds
    return min(max(odds, -MAX_TALLY), MAX_TALLY)


def gain(before: float, after: float) -> float:
    """The log odds that an image adds to the vote of a track, from the detection's tallies.

    A tally that does not change, because it is saturated or the detector always says the same, is
    one more vote for its handedness, if a small one: a track that was given another hand's id does
    not contradict it for ever.
    """
    if abs(after - before) > UNCHANGED:
        return after - before
    return math.copysign(STANDING_VOTE, after) if after else 0.0


@dataclass(frozen=True)
class HandednessVote:
    """A track's tally, the log odds of a right hand, and its handedness."""

    tally: float
    handedness: Handedness

    @classmethod
    def first(cls, detection: Detection) -> HandednessVote:
        """The vote of a new track: that of the detector."""
        return cls(_clipped(log_odds(detection)), detection.handedness)

    def plus(self, gained: float, estimated: Handedness) -> HandednessVote:
        """The vote after one more image.

        The track changes its handedness once it is outvoted and there is a hand of the other
        handedness to show; a draw changes nothing.

        gained: log odds that the image adds.
        estimated: handedness with which the hand was estimated in the image.
        """
        tally = _clipped(self.tally + gained)
        outvoted = tally != 0 and elected(tally)[0] is not self.handedness
        return HandednessVote(tally, estimated if outvoted else self.handedness)

    @property
    def right(self) -> float:
        """The probability of a right hand."""
        return float(sigmoid(self.tally))

    @property
    def score(self) -> float:
        """The probability of the track's handedness, at least 0.5."""
        return max(self.right if self.handedness is Handedness.RIGHT else 1 - self.right, 0.5)


def _clipped(tally: float) -> float:
    return min(max(tally, -MAX_TRACK_TALLY), MAX_TRACK_TALLY)
