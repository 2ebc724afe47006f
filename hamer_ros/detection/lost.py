"""Hands that were lost a moment ago: where to look for them, and whether a hand is one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hamer_ros.detection.confirm import extent
from hamer_ros.detection.crop import Region
from hamer_ros.detection.duplicates import CLEAR_SIDE
from hamer_ros.detection.followed import FollowedHand, palm_of
from hamer_ros.detection.landmark import Sighting
from hamer_ros.detection.vote import elected
from hamer_ros.hands import Side

MAX_MISSED = 30
"""Images for which a lost hand is remembered: a second at 30 Hz."""

REACH = 1.0
"""Distance from its supposed way, in sizes of the hand, up to which a hand can be the lost one."""

MAX_GROWTH = 1.6
"""Ratio of the sizes of two sightings up to which they can be of the same hand."""


@dataclass(frozen=True)
class LostHand:
    """A hand that was followed and is not seen any more.

    hand: as it was seen last.
    missed: images since then, without the one that is looked at now.
    looks: how often it was looked for.
    """

    hand: FollowedHand
    missed: int = 0
    looks: int = 0

    @property
    def way(self) -> np.ndarray:
        """(2,) pixels that it went since then if it kept moving."""
        return (self.missed + 1) * self.hand.motion

    def region(self) -> Region:
        """Where to look next: by turns where it would be now, and where it was."""
        region = self.hand.region
        if self.looks % 2:
            return region
        x, y = self.way
        return replace(region, x=region.x + float(x), y=region.y + float(y))

    def distance(self, sighting: Sighting) -> float:
        """Distance from the way it may have gone, in sizes of the hand."""
        offset = palm_of(sighting) - self.hand.palm
        along = np.clip(offset @ self.way / max(self.way @ self.way, 1e-9), 0.0, 1.0)
        return float(np.linalg.norm(offset - along * self.way)) / self._size

    def can_be(self, sighting: Sighting) -> bool:
        """Whether place, size and side of a sighting allow it to be this hand."""
        growth = extent(sighting.landmarks.pixels) / self._size
        return (
            self.distance(sighting) < REACH
            and 1 / MAX_GROWTH < growth < MAX_GROWTH
            and not self._contradicts(sighting)
        )

    def _contradicts(self, sighting: Sighting) -> bool:
        side, score = elected(self.hand.right_log_odds)
        other = 1 - sighting.right if side is Side.RIGHT else sighting.right
        return min(score, other) > CLEAR_SIDE

    @property
    def _size(self) -> float:
        return max(extent(self.hand.sighting.landmarks.pixels), 1.0)


def next_to_look_for(lost: Sequence[LostHand], width: int, height: int) -> LostHand | None:
    """The lost hand that was looked for least, of those that may be in the image."""

    def is_inside(hand: LostHand) -> bool:
        region = hand.region()
        return 0 <= region.x < width and 0 <= region.y < height

    waiting = [hand for hand in lost if hand.missed > 0 and is_inside(hand)]
    return min(waiting, key=lambda hand: hand.looks, default=None)


def which_lost(sighting: Sighting, lost: Sequence[LostHand]) -> LostHand | None:
    """The lost hand that a sighting is, the nearest if it can be several; None if it is new."""
    possible = [hand for hand in lost if hand.can_be(sighting)]
    return min(possible, key=lambda hand: hand.distance(sighting), default=None)
