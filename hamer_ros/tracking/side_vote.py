"""Left or right by the vote of a whole track, every image counted once.

A detector votes within one of its regions, and `Detection.side_score` is the sum of these votes.
What an image adds is the difference from the region's last sum (see `gain` for a sum that stands
still): only that is passed on to the track, so that nothing is counted twice, a hand that is found
again under another region keeps what it had, and a region that the detector moves to another hand
does not bring its votes along.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from hamer_ros.detection.vote import MAX_TALLY, elected
from hamer_ros.hands import Detection, Side

MAX_TRACK_TALLY = MAX_TALLY - 0.5
"""Log odds at which a track's vote saturates: a little less than a region's, so that a region that
has come to be sure of the other side can always outvote the track that it belongs to."""

STANDING_VOTE = 0.5
"""Log odds that an image adds when it leaves its region's tally as it was."""
UNCHANGED = 1e-6
"""Log odds; a tally that is turned into a probability and back differs by less."""


def log_odds(detection: Detection) -> float:
    """Log odds of a right hand that a region has gathered so far."""
    score = min(max(detection.side_score, 1e-9), 1 - 1e-9)
    odds = math.log(score / (1 - score))
    odds = odds if detection.side is Side.RIGHT else -odds
    return min(max(odds, -MAX_TALLY), MAX_TALLY)


def gain(before: float, after: float) -> float:
    """What an image adds to the vote of a region's track, from the region's tallies.

    A tally that does not change, because it is saturated or the detector always says the same, is
    one more vote for its side, if a small one: a track that was given another hand's region does
    not contradict it for ever.
    """
    if abs(after - before) > UNCHANGED:
        return after - before
    return math.copysign(STANDING_VOTE, after) if after else 0.0


@dataclass(frozen=True)
class SideVote:
    """A track's tally, the log odds of a right hand, and the side that the track goes by."""

    tally: float
    side: Side

    @classmethod
    def first(cls, detection: Detection) -> SideVote:
        """The vote of a new track: what the detector says."""
        return cls(_clipped(log_odds(detection)), detection.side)

    def plus(self, gained: float, recovered: Side) -> SideVote:
        """One more image, in which the hand was recovered as one of this side.

        The track changes its side once it is outvoted and there is a hand of the other side to
        show; a draw changes nothing.
        """
        tally = _clipped(self.tally + gained)
        outvoted = tally != 0 and elected(tally)[0] is not self.side
        return SideVote(tally, recovered if outvoted else self.side)

    @property
    def right(self) -> float:
        """Probability of a right hand."""
        return 1 / (1 + math.exp(-self.tally))

    @property
    def score(self) -> float:
        """Probability of the side that the track goes by, at least 0.5."""
        return max(self.right if self.side is Side.RIGHT else 1 - self.right, 0.5)


def _clipped(tally: float) -> float:
    return min(max(tally, -MAX_TRACK_TALLY), MAX_TRACK_TALLY)
