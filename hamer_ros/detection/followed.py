"""Hands that are followed from image to image."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hamer_ros.detection.crop import Region, region_from_landmarks
from hamer_ros.detection.landmark import Sighting
from hamer_ros.detection.vote import add_vote, elected
from hamer_ros.hands import Detection, Landmarks

COVERED_DISTANCE = 0.15
"""Distance of a palm from a followed one, relative to the hand's region, below which it is it."""

BOX_MARGIN = 0.15
"""What a box adds on each side of the joints, relative to their extent: flesh around the bones."""

_PALM_JOINTS = [0, 5, 9, 13, 17]


@dataclass(frozen=True)
class FollowedHand:
    """One hand from the image in which it was found on.

    number: identifies the hand; never used twice.
    sighting: what the landmark net saw in the latest image.
    right_log_odds: log odds of a right hand, summed over the images.
    """

    number: int
    sighting: Sighting
    right_log_odds: float

    @property
    def region(self) -> Region:
        """Where to look for the hand in the next image."""
        return region_from_landmarks(self.sighting.landmarks.pixels)

    def detection(self) -> Detection:
        """Describe the hand as the rest of the pipeline takes it."""
        landmarks = self.sighting.landmarks
        side, side_score = elected(self.right_log_odds)
        return Detection(
            box=landmark_box(landmarks),
            side=side,
            side_score=side_score,
            score=landmarks.presence,
            region=self.number,
            landmarks=landmarks,
        )


def start_following(number: int, sighting: Sighting) -> FollowedHand:
    """Follow the hand of a first sighting."""
    return FollowedHand(number, sighting, add_vote(0.0, sighting.right))


def keep_following(hand: FollowedHand, sighting: Sighting) -> FollowedHand:
    """Take one more sighting of the hand, with its vote on the side."""
    tally = add_vote(hand.right_log_odds, sighting.right)
    return replace(hand, sighting=sighting, right_log_odds=tally)


def landmark_box(landmarks: Landmarks) -> np.ndarray:
    """(4,) box x_min, y_min, x_max, y_max around the whole hand, pixels."""
    low, high = landmarks.pixels.min(axis=0), landmarks.pixels.max(axis=0)
    margin = BOX_MARGIN * (high - low).max()
    return np.concatenate([low - margin, high + margin])


def covers(hand: FollowedHand, point: np.ndarray) -> bool:
    """Whether a palm at ``point`` (2,) is that of a hand already followed."""
    palm = hand.sighting.landmarks.pixels[_PALM_JOINTS].mean(axis=0)
    return bool(np.linalg.norm(palm - point) < COVERED_DISTANCE * hand.region.size)
