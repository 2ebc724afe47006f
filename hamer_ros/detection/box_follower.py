"""Boxes of single images become hands with a number and a side.

A box continues the hand whose last box it overlaps most.  That is all the motion that detectors of
boxes need: the tracker behind them follows the hands in space.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hamer_ros.detection.boxes import OPPOSITE_IOU, FoundBox, iou
from hamer_ros.detection.detector import DetectorOptions
from hamer_ros.detection.duplicates import CLEAR_SIDE
from hamer_ros.detection.vote import MAX_TALLY, add_vote, elected
from hamer_ros.hands import Detection

MIN_IOU = 0.2
"""Overlap with a hand's last box that a box needs to continue it."""

MAX_MISSED = 5
"""Images in a row for which a hand without a box keeps its number."""

LOOK_PERIOD = 10
"""Once the vote is clear, the side is looked at in every so many images only."""

SideLook = Callable[[np.ndarray, np.ndarray], float]
"""From an image (H, W, 3) and a box (4,) in it: the probability of a right hand."""


@dataclass(frozen=True)
class FollowedBox:
    """A hand from the image in which it was found on.

    number: identifies the hand; never used twice.
    found: its last box.
    right_log_odds: log odds of a right hand, summed over the images.
    age: images since the first.
    missed: images since the last box.
    """

    number: int
    found: FoundBox
    right_log_odds: float = 0.0
    age: int = 0
    missed: int = 0

    def detection(self) -> Detection:
        """Describe the hand as the rest of the pipeline takes it."""
        side, side_score = elected(self.right_log_odds)
        return Detection(self.found.box, side, side_score, self.found.score, self.number)


class BoxFollower:
    """Numbers the boxes of image after image and lets each hand's images vote on its side.

    options: see DetectorOptions.
    look: asked for the side of boxes that come without one; where it is None they stay undecided.
    """

    def __init__(self, options: DetectorOptions, look: SideLook | None = None) -> None:
        self._options = options
        self._look = look
        self._next_number = 1
        self.reset()

    def reset(self) -> None:
        """Forget the hands; numbers are not used again."""
        self._hands: list[FollowedBox] = []

    def follow(self, rgb: np.ndarray, found: Sequence[FoundBox]) -> list[Detection]:
        """The hands of the next image, those that are followed longest first.

        rgb: (H, W, 3) uint8.  found: its boxes; of one hand there is one only.
        """
        if self._options.static:
            self.reset()
        pairs = match(self._hands, found)
        seen = [self._seen(rgb, hand, found[pairs[i]])
                for i, hand in enumerate(self._hands) if i in pairs]  # fmt: skip
        seen = seen[: self._options.max_hands]
        missing = [
            replace(hand, missed=hand.missed + 1)
            for i, hand in enumerate(self._hands)
            if i not in pairs and hand.missed < MAX_MISSED
        ]
        new = [box for j, box in enumerate(found) if j not in pairs.values()]
        new.sort(key=lambda box: -box.score)
        for box in new[: self._options.max_hands - len(seen)]:
            seen.append(self._seen(rgb, FollowedBox(self._next_number, box), box))
            self._next_number += 1
        self._hands = sorted([*seen, *missing], key=lambda hand: hand.number)
        return [hand.detection() for hand in seen]

    def _seen(self, rgb: np.ndarray, hand: FollowedBox, box: FoundBox) -> FollowedBox:
        right = box.right
        undecided = abs(hand.right_log_odds) < MAX_TALLY or hand.age % LOOK_PERIOD == 0
        if right is None and self._look is not None and undecided:
            right = self._look(rgb, box.box)
        tally = hand.right_log_odds if right is None else add_vote(hand.right_log_odds, right)
        return replace(hand, found=box, right_log_odds=tally, age=hand.age + 1, missed=0)


def match(hands: Sequence[FollowedBox], found: Sequence[FoundBox]) -> dict[int, int]:
    """Which hand each box continues: index of the hand -> index of the box, most overlap first.

    Where one is clearly right and the other clearly left they must overlap as much as boxes of the
    same hand do: hands that cross must not trade places, but a side seen wrongly for once is
    outvoted.
    """
    if not hands or not found:
        return {}
    overlaps = iou(np.array([h.found.box for h in hands]), np.array([f.box for f in found]))
    candidates = [
        (-overlaps[i, j], i, j)
        for i, hand in enumerate(hands)
        for j, box in enumerate(found)
        if overlaps[i, j] > (OPPOSITE_IOU if _opposite(hand, box) else MIN_IOU)
    ]
    pairs: dict[int, int] = {}
    for _, i, j in sorted(candidates):
        if i not in pairs and j not in pairs.values():
            pairs[i] = j
    return pairs


def _opposite(hand: FollowedBox, box: FoundBox) -> bool:
    if box.right is None or max(box.right, 1 - box.right) < CLEAR_SIDE:
        return False
    return abs(hand.right_log_odds) >= MAX_TALLY / 2 and (hand.right_log_odds > 0) != (
        box.right > 0.5
    )
