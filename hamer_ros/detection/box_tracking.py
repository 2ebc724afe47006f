"""Tracking of boxes from image to image, which gives each hand an id and a handedness.

A box continues the hand whose last box it overlaps most.  That is all the motion that detectors of
boxes need: the tracker behind them follows the hands in space.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hamer_ros.detection.detector import DetectorOptions
from hamer_ros.detection.found_boxes import OPPOSITE_IOU, FoundBox
from hamer_ros.detection.suppression import CLEAR_HANDEDNESS
from hamer_ros.geometry.boxes import iou
from hamer_ros.handedness import MAX_TALLY, add_vote, elected
from hamer_ros.hands import Detection

MIN_IOU = 0.2
"""Overlap with a hand's last box that a box needs to continue it."""

MAX_MISSED = 5
"""Images in a row for which a hand without a box keeps its id."""

LOOK_PERIOD = 10
"""Images from one look at a hand's handedness to the next, once the vote is clear."""

HandednessLook = Callable[[np.ndarray, np.ndarray], float]
"""The probability of a right hand, from an image (H, W, 3) and a box (4,) in it."""


@dataclass(frozen=True)
class FollowedBox:
    """A hand that is followed by its boxes.

    detection_id: identifies the hand; never used twice.
    found: its last box.
    right_log_odds: log odds of a right hand, summed over the images.
    age: images since the first.
    missed: images since the last box.
    """

    detection_id: int
    found: FoundBox
    right_log_odds: float = 0.0
    age: int = 0
    missed: int = 0

    def detection(self) -> Detection:
        """The hand as the rest of the pipeline takes it."""
        handedness, handedness_score = elected(self.right_log_odds)
        return Detection(
            self.found.bounding_box,
            handedness,
            handedness_score,
            self.found.score,
            self.detection_id,
        )


class BoxFollower:
    """Gives ids to the boxes of image after image and lets them vote on each hand's handedness.

    options: see `DetectorOptions`.
    look: classifies boxes that come without a handedness; where it is None they stay undecided.
    """

    def __init__(self, options: DetectorOptions, look: HandednessLook | None = None) -> None:
        self._options = options
        self._look = look
        self._next_id = 1
        self.reset()

    def reset(self) -> None:
        """Forget the hands; ids are not used again."""
        self._hands: list[FollowedBox] = []

    def follow(self, rgb: np.ndarray, found: Sequence[FoundBox]) -> list[Detection]:
        """The hands of the next image, those that are followed longest first.

        rgb: (H, W, 3) uint8.
        found: its boxes, one for each hand.
        """
        if self._options.photographs:
            self.reset()
        pairs = match(self._hands, found)
        seen = [self._continued(rgb, hand, found[pairs[i]])
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
            seen.append(self._continued(rgb, FollowedBox(self._next_id, box), box))
            self._next_id += 1
        self._hands = sorted([*seen, *missing], key=lambda hand: hand.detection_id)
        return [hand.detection() for hand in seen]

    def _continued(self, rgb: np.ndarray, hand: FollowedBox, box: FoundBox) -> FollowedBox:
        right = box.right
        undecided = abs(hand.right_log_odds) < MAX_TALLY or hand.age % LOOK_PERIOD == 0
        if right is None and self._look is not None and undecided:
            right = self._look(rgb, box.bounding_box)
        tally = hand.right_log_odds if right is None else add_vote(hand.right_log_odds, right)
        return replace(hand, found=box, right_log_odds=tally, age=hand.age + 1, missed=0)


def match(hands: Sequence[FollowedBox], found: Sequence[FoundBox]) -> dict[int, int]:
    """Assign boxes to the hands that they continue, most overlap first.

    Where one is clearly right and the other clearly left they must overlap as much as boxes of the
    same hand do: hands that cross must not trade places, but a handedness that is wrong for once is
    outvoted.

    Returns the index of the hand -> the index of its box.
    """
    if not hands or not found:
        return {}
    overlaps = iou(
        np.array([h.found.bounding_box for h in hands]), np.array([f.bounding_box for f in found])
    )
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
    if box.right is None or max(box.right, 1 - box.right) < CLEAR_HANDEDNESS:
        return False
    return abs(hand.right_log_odds) >= MAX_TALLY / 2 and (hand.right_log_odds > 0) != (
        box.right > 0.5
    )
