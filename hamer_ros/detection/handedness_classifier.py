"""Classify the handedness of the hand in a box with MediaPipe's landmark model.

The model wants to see a hand upright, and a box does not say how the hand is turned.  So it looks
at the box turned by each quarter, and once more at the joints that the surest look found.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from hamer_ros.detection.hand_landmark_model import see_landmarks
from hamer_ros.detection.roi import Roi, roi_from_landmarks
from hamer_ros.inference.device import CPU, Device
from hamer_ros.inference.model_store import model_path
from hamer_ros.inference.onnx_session import OnnxModel

TURNS = (0.0, math.pi / 2, math.pi, -math.pi / 2)
"""Rotations of the regions of the first looks, radians."""

GROWTH = 1.4
"""Side of these regions relative to the longer side of the box."""

MIN_PRESENCE = 0.3
"""Presence below which the last look says nothing."""


class HandednessClassifier:
    """Classifies boxes with the landmark model, which is loaded when it is first needed."""

    def __init__(self, device: Device = CPU, threads: int = 1) -> None:
        self._device = device
        self._threads = threads

    @cached_property
    def model(self) -> OnnxModel:
        """The landmark model of the cache.

        Raises:
            ModelsMissingError: it has not been fetched.
            ConfigurationError: onnxruntime does not run on the device.
        """
        return OnnxModel(model_path("hand_landmark_full"), self._device.providers, self._threads)

    def __call__(self, rgb: np.ndarray, box: np.ndarray) -> float:
        """The probability that the box (4,) in an image (H, W, 3) uint8 is around a right hand.

        It is 0.5 where the model sees no hand.
        """
        x, y = (box[:2] + box[2:]) / 2
        size = GROWTH * float((box[2:] - box[:2]).max())
        first = [
            see_landmarks(self.model, rgb, Roi(float(x), float(y), size, turn)) for turn in TURNS
        ]
        surest = max(first, key=lambda observation: observation.landmarks.presence)
        again = see_landmarks(self.model, rgb, roi_from_landmarks(surest.landmarks.pixels))
        return again.right if again.landmarks.presence >= MIN_PRESENCE else 0.5
