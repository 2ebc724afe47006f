"""Crops of people as ViTPose takes them from an image.

These are the conventions of MMPose 0.x without UDP: a box is grown to 3 : 4 and by a quarter, and
its centre is seen at the middle (96, 128) of the crop, not at (95.5, 127.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

WIDTH, HEIGHT = 192, 256
"""Size of a crop, pixels."""

GROWTH = 1.25
"""Size of the window in sizes of the box."""

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)


@dataclass(frozen=True)
class PersonWindow:
    """An upright window of an image, 3 : 4 wide.

    center: (2,) pixels.
    width: pixels.
    """

    center: np.ndarray
    width: float

    @property
    def shrink(self) -> float:
        """Pixels of the image for one of the crop."""
        return self.width / WIDTH

    def to_image(self, points: np.ndarray) -> np.ndarray:
        """Map points (..., 2) from pixels of the crop to pixels of the image."""
        return self.center + self.shrink * (points - [WIDTH / 2, HEIGHT / 2])


def person_window(box: np.ndarray) -> PersonWindow:
    """The window around a person's box (4,): x_min, y_min, x_max, y_max, pixels."""
    # MMPose counts the pixels of a box with both its ends.
    width, height = box[2:] - box[:2] + 1
    center = box[:2] + np.array([width, height]) / 2
    return PersonWindow(center, GROWTH * float(max(width, height * WIDTH / HEIGHT)))


def cut_crops(rgb: np.ndarray, windows: Sequence[PersonWindow]) -> np.ndarray:
    """Cut windows out of an image (H, W, 3) uint8 RGB.

    Returns (B, 3, 256, 192) float32, normalised by ImageNet's mean and standard deviation; what
    lies outside of the image is black.
    """
    batch = np.empty((len(windows), 3, HEIGHT, WIDTH), np.float32)
    for crop, window in zip(batch, windows, strict=True):
        # crop = (pixel - center) / shrink + (96, 128)
        middle = np.array([WIDTH / 2, HEIGHT / 2])
        to_crop = np.column_stack(
            [np.eye(2) / window.shrink, middle - window.center / window.shrink]
        )
        levels = cv2.warpAffine(rgb, to_crop, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
        crop[:] = ((levels.astype(np.float32) / 255 - MEAN) / STD).transpose(2, 0, 1)
    return batch
