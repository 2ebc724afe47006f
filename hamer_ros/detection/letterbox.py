"""Fit an image to the input of a model: shrunk or grown as a whole, with bars beside it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

GREY = 114
"""Level of the bars, as YOLO and RTMDet are trained with."""


@dataclass(frozen=True)
class Letterbox:
    """The placement of an image in the input of a model.

    width, height: of the input, pixels.
    image_width, image_height: of the image, pixels.
    """

    width: int
    height: int
    image_width: int
    image_height: int

    @property
    def inner(self) -> tuple[int, int]:
        """Width and height of the image in the input, pixels."""
        factor = min(self.width / self.image_width, self.height / self.image_height)
        # A very long image must not vanish.
        return (
            max(1, round(factor * self.image_width)),
            max(1, round(factor * self.image_height)),
        )

    @property
    def corner(self) -> tuple[int, int]:
        """Left and top of the image in the input, pixels."""
        inner_width, inner_height = self.inner
        return (self.width - inner_width) // 2, (self.height - inner_height) // 2

    def cut(self, rgb: np.ndarray) -> np.ndarray:
        """Make the input (height, width, 3) of an image (image_height, image_width, 3), uint8."""
        left, top = self.corner
        inner_width, inner_height = self.inner
        canvas = np.full((self.height, self.width, 3), GREY, np.uint8)
        canvas[top : top + inner_height, left : left + inner_width] = cv2.resize(
            rgb, (inner_width, inner_height), interpolation=cv2.INTER_LINEAR
        )
        return canvas

    def to_image(self, boxes: np.ndarray) -> np.ndarray:
        """Map boxes (N, 4) from pixels of the input to pixels of the image.

        Models of boxes measure from the outer corner of the top-left pixel; we from its centre.
        """
        inner = np.array(self.inner)
        factor = np.array([self.image_width, self.image_height]) / inner
        return (boxes - np.tile(self.corner, 2)) * np.tile(factor, 2) - 0.5
