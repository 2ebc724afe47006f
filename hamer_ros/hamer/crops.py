"""Crops of hands as HaMeR was trained on: square, 256 pixels wide, normalised.

A box becomes a square (`hand_square`), squares of one or more images become one batch
(`cut_crops`).  The result is that of HaMeR's own data set; but where that filters, mirrors and
warps whole images, hand by hand, only the part of the image under the square is touched here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from hamer_ros.hands import Handedness

SIZE = 256
"""Side of a crop, pixels."""
GROWTH = 2.0
"""Size of the square around a box in sizes of the box, at least."""
ASPECT = 192 / 256
"""Width over height of the middle part of the crop that the network looks at."""
FILTER_ABOVE = 1.1
"""Factor of shrinking, over 2, beyond which the image is filtered against aliasing first."""
LARGEST = 4.0
"""Sides of the image that a square may have at most; a hand that fills the image has 2.7."""

MEAN = 255 * np.array([0.485, 0.456, 0.406], np.float32)
STD = 255 * np.array([0.229, 0.224, 0.225], np.float32)


class CropError(ValueError):
    """No crop can be made of a box; the text says why."""


@dataclass(frozen=True)
class CropSquare:
    """The square of an image that a crop shows.

    center: (2,) pixels; it is seen at pixel (128, 128) of the crop.
    size: side, pixels.
    handedness: the crop of a left hand is mirrored, so that it looks like a right one.
    """

    center: np.ndarray
    size: float
    handedness: Handedness

    def to_image(self, points: np.ndarray) -> np.ndarray:
        """Map points (..., 2) of the crop, -0.5 to 0.5 across it, to pixels of the image."""
        across = np.array(
            [-self.size if self.handedness is Handedness.LEFT else self.size, self.size]
        )
        return across * points + self.center


def hand_square(box: np.ndarray, handedness: Handedness, width: int, height: int) -> CropSquare:
    """The square around a hand's box (4,): x_min, y_min, x_max, y_max, pixels.

    The box is doubled and then grown in one direction until it is 192 : 256 wide, so that the part
    of the crop that the network sees holds all of it; the square has the height of the result.

    width, height: of the image, pixels.

    Raises:
        CropError: the box is not finite or has no area, or the square misses the image or is more
            than `LARGEST` times as large.
    """
    box = np.asarray(box, float)
    if box.shape != (4,) or not np.isfinite(box).all():
        raise CropError(f"the box {box.tolist()} is not four finite numbers")
    extent = box[2:] - box[:2]
    if not (extent > 0).all():
        raise CropError(f"the box {box.tolist()} has no area")
    center = (box[:2] + box[2:]) / 2
    w, h = GROWTH * extent
    size = float(max(h, w / ASPECT))
    if size > LARGEST * max(width, height):
        raise CropError(f"a crop of {size:.0f} pixels around the box {box.tolist()} is too large")
    # Half of the size to both sides, less the columns that the network does not look at.
    reach = size / 2 * np.array([ASPECT, 1.0])
    if (center + reach < 0).any() or (center - reach > [width - 1, height - 1]).any():
        raise CropError(f"the box {box.tolist()} is outside of the image, {width}x{height}")
    return CropSquare(center, size, handedness)


def cut_crops(views: Sequence[tuple[np.ndarray, CropSquare]]) -> np.ndarray:
    """Cut squares out of images, as one batch of crops.

    views: pairs of an image (H, W, 3), uint8 RGB, and a square in it.

    Returns (B, 3, 256, 256) float32: RGB, normalised by ImageNet's mean and standard deviation;
    what lies outside of the image is black.
    """
    batch = np.empty((len(views), 3, SIZE, SIZE), np.float32)
    for i, (rgb, square) in enumerate(views):
        np.subtract(_cut(rgb, square).transpose(2, 0, 1), MEAN[:, None, None], out=batch[i])
    batch /= STD[:, None, None]
    return batch


def _cut(rgb: np.ndarray, square: CropSquare) -> np.ndarray:
    """The crop (256, 256, 3), uint8, or float32 where the image was filtered, both 0 to 255."""
    shrink = square.size / SIZE
    factor = shrink / 2
    sigma = (factor - 1) / 2 if factor > FILTER_ABOVE else 0.0
    radius = int(4 * sigma + 0.5)  # the kernel ends at four sigma
    part, offset = _part(rgb, square, radius + 2)
    if factor > FILTER_ABOVE:
        part = _smooth(part, sigma, radius)
    center = square.center - offset
    if square.handedness is Handedness.LEFT:
        # Mirrored, pixel column u becomes column width - 1 - u.
        part = cv2.flip(part, 1)
        center = np.array([part.shape[1] - 1 - center[0], center[1]])
    # crop = (pixel - center) / shrink + 128
    to_crop = np.column_stack([np.eye(2) / shrink, SIZE / 2 - center / shrink])
    return cv2.warpAffine(
        part,
        to_crop,
        (SIZE, SIZE),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(0, 0, 0),
    )


def _part(rgb: np.ndarray, square: CropSquare, margin: int) -> tuple[np.ndarray, np.ndarray]:
    """The part of the image under the square, with a margin, and its first pixel (2,)."""
    height, width = rgb.shape[:2]
    low = np.floor(square.center - square.size / 2).astype(int) - margin
    high = np.ceil(square.center + square.size / 2).astype(int) + margin + 1
    # A square may overlap the image with less than its margin, but an empty part it must not have.
    low = np.clip(low, 0, [width - 1, height - 1])
    high = np.clip(high, low + 1, [width, height])
    return rgb[low[1] : high[1], low[0] : high[0]], low


def _smooth(part: np.ndarray, sigma: float, radius: int) -> np.ndarray:
    """Filter by a Gaussian, in float32; the image goes on beyond its border as it ends there."""
    kernel = cv2.getGaussianKernel(2 * radius + 1, sigma, cv2.CV_32F)
    return cv2.sepFilter2D(part, cv2.CV_32F, kernel, kernel, borderType=cv2.BORDER_REPLICATE)
