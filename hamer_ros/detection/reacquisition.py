"""Hands that were lost a moment ago: the regions to look for them in, and recognising them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hamer_ros.detection.hand_landmark_model import LandmarkObservation
from hamer_ros.detection.roi import Roi
from hamer_ros.detection.roi_tracking import FollowedHand, palm_of
from hamer_ros.detection.suppression import CLEAR_HANDEDNESS
from hamer_ros.detection.verification import extent
from hamer_ros.handedness import elected
from hamer_ros.hands import Handedness

MAX_MISSED = 30
"""Images for which a lost hand is remembered: a second at 30 Hz."""

REACH = 1.0
"""Distance from its supposed path, in sizes of the hand, up to which a hand can be the lost one."""

MAX_GROWTH = 1.6
"""Ratio of the sizes of two observations up to which they can be of the same hand."""


@dataclass(frozen=True)
class LostHand:
    """A hand that was followed and is not seen any more.

    hand: as it was seen last.
    missed: images since then, without the present one.
    looks: how often it was looked for.
    """

    hand: FollowedHand
    missed: int = 0
    looks: int = 0

    @property
    def displacement(self) -> np.ndarray:
        """The displacement (2,) since then if it kept moving, pixels."""
        return (self.missed + 1) * self.hand.motion

    def roi(self) -> Roi:
        """The region to look in next: by turns where it would be now, and where it was."""
        roi = self.hand.roi
        if self.looks % 2:
            return roi
        x, y = self.displacement
        return replace(roi, x=roi.x + float(x), y=roi.y + float(y))

    def distance(self, observation: LandmarkObservation) -> float:
        """The distance of an observation from the path of `displacement`, in sizes of the hand."""
        offset, path = palm_of(observation) - self.hand.palm, self.displacement
        along = np.clip(offset @ path / max(path @ path, 1e-9), 0.0, 1.0)
        return float(np.linalg.norm(offset - along * path)) / self._size

    def can_be(self, observation: LandmarkObservation) -> bool:
        """True if the position, size and handedness of an observation can be those of this hand."""
        growth = extent(observation.landmarks.pixels) / self._size
        return (
            self.distance(observation) < REACH
            and 1 / MAX_GROWTH < growth < MAX_GROWTH
            and not self._contradicts(observation)
        )

    def _contradicts(self, observation: LandmarkObservation) -> bool:
        handedness, score = elected(self.hand.right_log_odds)
        other = 1 - observation.right if handedness is Handedness.RIGHT else observation.right
        return min(score, other) > CLEAR_HANDEDNESS

    @property
    def _size(self) -> float:
        return max(extent(self.hand.observation.landmarks.pixels), 1.0)


def next_to_look_for(lost: Sequence[LostHand], width: int, height: int) -> LostHand | None:
    """The lost hand that was looked for least, of those that may be in the image."""

    def is_inside(hand: LostHand) -> bool:
        roi = hand.roi()
        return 0 <= roi.x < width and 0 <= roi.y < height

    waiting = [hand for hand in lost if hand.missed > 0 and is_inside(hand)]
    return min(waiting, key=lambda hand: hand.looks, default=None)


def which_lost(observation: LandmarkObservation, lost: Sequence[LostHand]) -> LostHand | None:
    """The lost hand that an observation shows, the nearest of several; None if it is a new one."""
    possible = [hand for hand in lost if hand.can_be(observation)]
    return min(possible, key=lambda hand: hand.distance(observation), default=None)
