"""The recoverer ``ensemble``: the mean of two, which is better than either.

As HaMeR's report on the EgoExo4D challenge did (Pavlakos et al., 2024): the 21 joints of the second
method are brought onto those of the first by the best similarity (Procrustes) and averaged.  The
errors of a transformer and of a landmark net have little in common, so a part of them cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hamer_ros.evaluation import procrustes
from hamer_ros.hands import Detection, Frame, Hand

if TYPE_CHECKING:
    from hamer_ros.recovery import Recoverer


class EnsembleRecoverer:
    """Averages the joints of two recoverers; all else is the first one's.

    A hand that the second does not recover is left as the first has it.
    """

    name = "ensemble"

    def __init__(self, first: Recoverer, second: Recoverer) -> None:
        self.model = first.model
        self.engine = f"{first.name} ({first.engine}) and {second.name} ({second.engine})"
        self._first = first
        self._second = second

    def reset(self) -> None:
        """Let both forget the frames so far."""
        self._first.reset()
        self._second.reset()

    def recover(self, frame: Frame, detections: Sequence[Detection]) -> list[Hand]:
        """Hands of the first recoverer, their joints averaged with the second's."""
        others = {id(h.detection): h for h in self._second.recover(frame, detections)}
        return [
            averaged(hand, others[id(hand.detection)]) if id(hand.detection) in others else hand
            for hand in self._first.recover(frame, detections)
        ]


def averaged(hand: Hand, other: Hand) -> Hand:
    """The hand with the mean joints, its wrist at the origin again and the surface moved along."""
    joints = 0.5 * (hand.joints + procrustes(other.joints, hand.joints))
    return replace(hand, joints=joints - joints[0], vertices=hand.vertices - joints[0])
