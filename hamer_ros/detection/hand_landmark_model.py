"""Find the joints of one hand in a region of an image with MediaPipe's landmark model.

Zhang et al. 2020, arXiv:2006.10214.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from hamer_ros.detection.roi import Roi, crop, turn
from hamer_ros.hands import N_JOINTS, Landmarks
from hamer_ros.visibility import visibility

INPUT_SIZE = 224
"""Side of the model's input, pixels."""


@dataclass(frozen=True)
class LandmarkObservation:
    """The result of the landmark model for one region of one image.

    landmarks: the joints and the probability that they are a hand's.
    right: probability that it is a right hand, 0 to 1; a guess, 0.5, where the image shows no more
        than half of the hand.
    roi: the region.
    """

    landmarks: Landmarks
    right: float
    roi: Roi


def see_landmarks(
    model: Callable[[np.ndarray], list[np.ndarray]], image: np.ndarray, roi: Roi
) -> LandmarkObservation:
    """Run the landmark model on one region of an image.

    model: hand landmark model; gives joints in input pixels, presence, handedness and joints in
        metres, in this order.
    image: (H, W, 3) uint8 RGB.
    roi: the region; past the edge of the image its last pixels are repeated.
    """
    joints, presence, handedness, world = model(crop(image, roi, INPUT_SIZE, cv2.BORDER_REPLICATE))
    across = joints.reshape(N_JOINTS, 3)[:, :2].astype(np.float64) / INPUT_SIZE - 0.5
    metres = world.reshape(N_JOINTS, 3).astype(np.float64)
    # The model sees the hand upright; its depth axis is the viewing ray however it is turned.
    metres[:, :2] = turn(metres[:, :2], roi.rotation)
    # MediaPipe calls this output the probability of "Left", meaning the hand of a person in a
    # mirrored selfie.  In the image of a camera it is a right hand's.
    right = float(handedness.item())
    pixels = roi.to_image(across)
    seen = float(visibility(pixels, image.shape[1], image.shape[0]).mean())
    right = 0.5 + max(2 * seen - 1, 0.0) * (right - 0.5)
    landmarks = Landmarks(pixels=pixels, world=metres, presence=float(presence.item()))
    return LandmarkObservation(landmarks, right, roi)
