"""The estimator ``ensemble``: the mean of two, which is better than either.

As HaMeR's report on the EgoExo4D challenge did (Pavlakos et al., 2024): the 21 joints of the second
method are brought onto those of the first by the best similarity (Procrustes) and averaged.  The
errors of a transformer and of a landmark model have little in common, so a part of them cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hamer_ros.estimation.estimator import Estimator
from hamer_ros.geometry.alignment import procrustes
from hamer_ros.hands import Detection, Frame, Hand


class EnsembleEstimator:
    """Averages the joints of two estimators; all else is the first one's.

    A hand that the second does not estimate is left as the first has it.
    """

    name = "ensemble"

    def __init__(self, first: Estimator, second: Estimator) -> None:
        self.model = first.model
        self.engine = f"{first.name} ({first.engine}) and {second.name} ({second.engine})"
        self._first = first
        self._second = second

    def reset(self) -> None:
        """Let both forget the frames so far."""
        self._first.reset()
        self._second.reset()

    def estimate(self, frame: Frame, detections: Sequence[Detection]) -> list[Hand]:
        """Estimate the hands of the first, their joints averaged with the second's."""
        others = {id(h.detection): h for h in self._second.estimate(frame, detections)}
        return [
            averaged(hand, others[id(hand.detection)]) if id(hand.detection) in others else hand
            for hand in self._first.estimate(frame, detections)
        ]


def averaged(hand: Hand, other: Hand) -> Hand:
    """The hand with the mean joints, its wrist at the origin again and the surface moved along."""
    joints = 0.5 * (hand.joints + procrustes(other.joints, hand.joints))
    return replace(hand, joints=joints - joints[0], vertices=hand.vertices - joints[0])
