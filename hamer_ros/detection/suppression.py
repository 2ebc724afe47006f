"""Suppression of observations in one image that show the same hand, or a mere part of another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hamer_ros.detection.hand_landmark_model import LandmarkObservation
from hamer_ros.detection.roi_tracking import FollowedHand, landmark_box
from hamer_ros.detection.verification import Confirmation, extent

DUPLICATE_DISTANCE = 0.3
"""Mean distance of the joints of two observations, relative to the hand, below which they are one.
"""

OPPOSITE_DISTANCE = 0.15
"""The same where one is clearly a right hand and the other clearly a left one."""

CLEAR_HANDEDNESS = 0.8
"""Probability from which the model's handedness counts as clear."""

FRAGMENT_SIZE = 0.55
"""Relative size up to which an observation inside another is some of its fingers."""


def same_hand(a: LandmarkObservation, b: LandmarkObservation) -> bool:
    """True if two observations in one image show the same hand.

    Joints are compared one by one: hands that cross or interlock share a place, but they point
    in different directions.  Two hands laid on one another are told apart by their handedness.
    """
    opposite = (
        max(a.right, b.right) > CLEAR_HANDEDNESS and min(a.right, b.right) < 1 - CLEAR_HANDEDNESS
    )
    limit = OPPOSITE_DISTANCE if opposite else DUPLICATE_DISTANCE
    first, second = a.landmarks.pixels, b.landmarks.pixels
    distance = np.linalg.norm(first - second, axis=1).mean()
    return bool(distance < limit * min(extent(first), extent(second)))


def is_fragment(part: LandmarkObservation, whole: LandmarkObservation) -> bool:
    """True if ``part`` is a hand seen in a few fingers of the hand ``whole``."""
    if extent(part.landmarks.pixels) > FRAGMENT_SIZE * extent(whole.landmarks.pixels):
        return False
    center = part.landmarks.pixels.mean(axis=0)
    box = landmark_box(whole.landmarks)
    return bool(np.all(center > box[:2]) and np.all(center < box[2:]))


def distinct_followed(hands: Sequence[FollowedHand]) -> list[FollowedHand]:
    """The followed hands without those that slipped onto another, in their order.

    Of hands that became one, that stays whose vote on the handedness agrees with what is seen now,
    then the one that went on as it had moved: the other one was led away from its course.
    """

    def claim(hand: FollowedHand) -> tuple[bool, float]:
        agrees = (hand.right_log_odds >= 0) == (hand.observation.right >= 0.5)
        return agrees, -hand.surprise

    kept: list[FollowedHand] = []
    for hand in sorted(hands, key=claim, reverse=True):
        if not any(same_hand(hand.observation, other.observation) for other in kept):
            kept.append(hand)
    return sorted(kept, key=lambda hand: hand.detection_id)


def is_known(observation: LandmarkObservation, hands: Sequence[FollowedHand]) -> bool:
    """True if an observation shows one of the hands, or a mere part of one."""
    return any(
        same_hand(observation, hand.observation) or is_fragment(observation, hand.observation)
        for hand in hands
    )


def distinct_new(
    found: Sequence[Confirmation], followed: Sequence[FollowedHand]
) -> list[Confirmation]:
    """The new hands that are neither one another nor followed ones, best evidence first."""
    known = [hand.observation for hand in followed]
    everything = known + [confirmation.observation for confirmation in found]
    new: list[Confirmation] = []
    for confirmation in sorted(found, key=lambda c: -c.evidence):
        observation = confirmation.observation
        if any(is_fragment(observation, whole) for whole in everything):
            continue
        if not any(same_hand(observation, other) for other in known):
            known.append(observation)
            new.append(confirmation)
    return new
