"""Hands that are followed from image to image."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hamer_ros.detection.crop import Region, region_from_landmarks
from hamer_ros.detection.landmark import Sighting
from hamer_ros.detection.vote import add_vote, elected
from hamer_ros.hands import Detection, Landmarks

COVERED_DISTANCE = 0.15
"""Distance of a palm from a followed one, relative to the hand's region, below which it is it."""

BOX_MARGIN = 0.15
"""What a box adds on each side of the joints, relative to their extent: flesh around the bones."""

MOTION_GAIN = 0.5
"""Share of the latest step in what is taken for a hand's motion."""

_PALM_JOINTS = [0, 5, 9, 13, 17]


@dataclass(frozen=True)
class FollowedHand:
    """One hand from the image in which it was found on.

    number: identifies the hand; never used twice.
    sighting: what the landmark net saw in the latest image.
    right_log_odds: log odds of a right hand, summed over the images.
    motion: (2,) pixels that its palm goes from one image to the next.
    surprise: distance of its palm from where that motion leads, relative to its region.
    """

    number: int
    sighting: Sighting
    right_log_odds: float
    motion: np.ndarray = field(default_factory=lambda: np.zeros(2))
    surprise: float = 0.0

    @property
    def palm(self) -> np.ndarray:
        """(2,) pixels, the middle of the palm."""
        return palm_of(self.sighting)

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


def keep_following(hand: FollowedHand, sighting: Sighting, images: int = 1) -> FollowedHand:
    """Take one more sighting of the hand, with its vote on the side.

    images: from the one of the last sighting to the one of this.
    """
    step = (palm_of(sighting) - hand.palm) / images
    return FollowedHand(
        number=hand.number,
        sighting=sighting,
        right_log_odds=add_vote(hand.right_log_odds, sighting.right),
        motion=hand.motion + MOTION_GAIN * (step - hand.motion),
        surprise=images * float(np.linalg.norm(step - hand.motion)) / hand.region.size,
    )


def palm_of(sighting: Sighting) -> np.ndarray:
    """(2,) pixels, the middle of the palm."""
    return sighting.landmarks.pixels[_PALM_JOINTS].mean(axis=0)


def landmark_box(landmarks: Landmarks) -> np.ndarray:
    """(4,) box x_min, y_min, x_max, y_max around the whole hand, pixels."""
    low, high = landmarks.pixels.min(axis=0), landmarks.pixels.max(axis=0)
    margin = BOX_MARGIN * (high - low).max()
    return np.concatenate([low - margin, high + margin])


def covers(hand: FollowedHand, point: np.ndarray) -> bool:
    """Whether a palm at ``point`` (2,) is that of a hand already followed."""
    return bool(np.linalg.norm(hand.palm - point) < COVERED_DISTANCE * hand.region.size)
