"""When two sightings in one image are one hand, or one is a mere part of the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hamer_ros.detection.confirm import Confirmation, extent
from hamer_ros.detection.followed import FollowedHand, landmark_box
from hamer_ros.detection.landmark import Sighting

DUPLICATE_DISTANCE = 0.3
"""Mean distance of the joints of two sightings, relative to the hand, below which they are one."""

OPPOSITE_DISTANCE = 0.15
"""The same where one is clearly a right hand and the other clearly a left one."""

CLEAR_SIDE = 0.8
"""Probability from which the net's word on the side counts as clear."""

FRAGMENT_SIZE = 0.55
"""A sighting inside another and smaller than this part of it is some of its fingers."""


def same_hand(a: Sighting, b: Sighting) -> bool:
    """Whether two sightings in one image are the same hand.

    Joints are compared one by one: hands that cross or interlock share a place, but they point
    in different directions.  Two hands laid on one another are told apart by their sides.
    """
    opposite = max(a.right, b.right) > CLEAR_SIDE and min(a.right, b.right) < 1 - CLEAR_SIDE
    limit = OPPOSITE_DISTANCE if opposite else DUPLICATE_DISTANCE
    first, second = a.landmarks.pixels, b.landmarks.pixels
    distance = np.linalg.norm(first - second, axis=1).mean()
    return bool(distance < limit * min(extent(first), extent(second)))


def is_fragment(part: Sighting, whole: Sighting) -> bool:
    """Whether ``part`` is a hand seen in a few fingers of the hand ``whole``."""
    if extent(part.landmarks.pixels) > FRAGMENT_SIZE * extent(whole.landmarks.pixels):
        return False
    center = part.landmarks.pixels.mean(axis=0)
    box = landmark_box(whole.landmarks)
    return bool(np.all(center > box[:2]) and np.all(center < box[2:]))


def distinct_followed(hands: Sequence[FollowedHand]) -> list[FollowedHand]:
    """The followed hands without those that slipped onto another, in their order.

    Of hands that became one, that stays whose vote on the side agrees with what is seen now, then
    the one that went on as it had moved: the other one was led away from its course.
    """

    def claim(hand: FollowedHand) -> tuple[bool, float]:
        agrees = (hand.right_log_odds >= 0) == (hand.sighting.right >= 0.5)
        return agrees, -hand.surprise

    kept: list[FollowedHand] = []
    for hand in sorted(hands, key=claim, reverse=True):
        if not any(same_hand(hand.sighting, other.sighting) for other in kept):
            kept.append(hand)
    return sorted(kept, key=lambda hand: hand.number)


def is_known(sighting: Sighting, hands: Sequence[FollowedHand]) -> bool:
    """Whether a sighting is one of the hands, or a mere part of one."""
    return any(
        same_hand(sighting, hand.sighting) or is_fragment(sighting, hand.sighting) for hand in hands
    )


def distinct_new(
    found: Sequence[Confirmation], followed: Sequence[FollowedHand]
) -> list[Confirmation]:
    """The new hands that are neither one another nor followed ones, best evidence first."""
    known = [hand.sighting for hand in followed]
    everything = known + [confirmation.sighting for confirmation in found]
    new: list[Confirmation] = []
    for confirmation in sorted(found, key=lambda c: -c.evidence):
        sighting = confirmation.sighting
        if any(is_fragment(sighting, whole) for whole in everything):
            continue
        if not any(same_hand(sighting, other) for other in known):
            known.append(sighting)
            new.append(confirmation)
    return new
