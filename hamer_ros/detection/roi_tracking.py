"""Hands that are followed from image to image by their joints."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hamer_ros.detection.hand_landmark_model import LandmarkObservation
from hamer_ros.detection.roi import Roi, roi_from_landmarks
from hamer_ros.geometry.boxes import box_around
from hamer_ros.handedness import add_vote, elected
from hamer_ros.hands import Detection, Landmarks

COVERED_DISTANCE = 0.15
"""Distance of two palms, relative to the hand's region, below which they are the same."""

BOX_MARGIN = 0.15
"""Margin of a box around the joints, relative to their extent: flesh around the bones."""

MOTION_GAIN = 0.5
"""Weight of the latest step in the estimate of a hand's motion."""

_PALM_JOINTS = [0, 5, 9, 13, 17]


@dataclass(frozen=True)
class FollowedHand:
    """A hand that is followed by its joints.

    detection_id: identifies the hand; never used twice.
    observation: the landmark model's result in the latest image.
    right_log_odds: log odds of a right hand, summed over the images.
    motion: (2,) pixels that its palm moves from one image to the next.
    surprise: distance of its palm from where that motion leads, relative to its region.
    """

    detection_id: int
    observation: LandmarkObservation
    right_log_odds: float
    motion: np.ndarray = field(default_factory=lambda: np.zeros(2))
    surprise: float = 0.0

    @property
    def palm(self) -> np.ndarray:
        """The middle of the palm (2,), pixels."""
        return palm_of(self.observation)

    @property
    def roi(self) -> Roi:
        """The region of the hand in the next image."""
        return roi_from_landmarks(self.observation.landmarks.pixels)

    def detection(self) -> Detection:
        """The hand as the rest of the pipeline takes it."""
        landmarks = self.observation.landmarks
        handedness, handedness_score = elected(self.right_log_odds)
        return Detection(
            bounding_box=landmark_box(landmarks),
            handedness=handedness,
            handedness_score=handedness_score,
            score=landmarks.presence,
            detection_id=self.detection_id,
            landmarks=landmarks,
        )


def start_following(detection_id: int, observation: LandmarkObservation) -> FollowedHand:
    """The followed hand after its first observation."""
    return FollowedHand(detection_id, observation, add_vote(0.0, observation.right))


def keep_following(
    hand: FollowedHand, observation: LandmarkObservation, images: int = 1
) -> FollowedHand:
    """The followed hand after one more observation, with its vote on the handedness.

    images: number of images since the last observation.
    """
    step = (palm_of(observation) - hand.palm) / images
    return FollowedHand(
        detection_id=hand.detection_id,
        observation=observation,
        right_log_odds=add_vote(hand.right_log_odds, observation.right),
        motion=hand.motion + MOTION_GAIN * (step - hand.motion),
        surprise=images * float(np.linalg.norm(step - hand.motion)) / hand.roi.size,
    )


def palm_of(observation: LandmarkObservation) -> np.ndarray:
    """The middle of the palm (2,), pixels."""
    return observation.landmarks.pixels[_PALM_JOINTS].mean(axis=0)


def landmark_box(landmarks: Landmarks) -> np.ndarray:
    """The box (4,) around the whole hand: x_min, y_min, x_max, y_max, pixels."""
    return box_around(landmarks.pixels, BOX_MARGIN)


def covers(hand: FollowedHand, point: np.ndarray) -> bool:
    """True if a palm at ``point`` (2,) is that of a followed hand."""
    return bool(np.linalg.norm(hand.palm - point) < COVERED_DISTANCE * hand.roi.size)
