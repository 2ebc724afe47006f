"""Regions of interest: square, rotated parts of an image, and the crops that models take of them.

The regions follow MediaPipe Hands (Zhang et al. 2020, arXiv:2006.10214): one that a palm suggests
and one that the landmarks of the frame before suggest.  Both are turned so that the hand points
up in the crop.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

PALM_SHIFT = 0.5
"""Shift of a palm's region from the centre of its box towards the fingers, in sides of the box."""
PALM_SCALE = 2.6
"""Side of a palm's region in sides of its box."""
HAND_SHIFT = 0.1
"""Shift of a hand's region towards the fingers, in heights of the box around its upright joints."""
HAND_SCALE = 2.0
"""Side of a hand's region in longer sides of that box."""

_WRIST = 0
_INDEX_MCP, _MIDDLE_MCP, _RING_MCP = 5, 9, 13
_PALM_WRIST, _PALM_MIDDLE_MCP = 0, 2
# The fingers' last two joints are left out: the region should not jump when a finger curls.
_STEADY_JOINTS = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18]


@dataclass(frozen=True)
class Roi:
    """A square of an image.

    x, y: centre, pixels.
    size: side, pixels.
    rotation: radians, clockwise in the image; the crop's upward direction is
        (sin(rotation), -cos(rotation)) in the image.
    """

    x: float
    y: float
    size: float
    rotation: float = 0.0

    def to_image(self, points: np.ndarray) -> np.ndarray:
        """Map points (..., 2) of the crop, -0.5 to 0.5 across it, to pixels of the image."""
        return self.size * turn(points, self.rotation) + [self.x, self.y]


def turn(vectors: np.ndarray, angle: float) -> np.ndarray:
    """Turn image vectors (..., 2) clockwise by ``angle`` radians."""
    c, s = np.cos(angle), np.sin(angle)
    return vectors @ np.array([[c, s], [-s, c]])


def crop(image: np.ndarray, roi: Roi, size: int, border: int) -> np.ndarray:
    """Cut a region out of an image, in the form in which MediaPipe's models take it.

    image: (H, W, 3) uint8.
    roi: the region.
    size: side of the result, pixels.
    border: OpenCV's border mode for what lies outside the image.

    Returns (1, size, size, 3) float32, 0 to 1.
    """
    # Pixel i of the crop has its centre at (i + 0.5) / size - 0.5 of the region.
    first = 0.5 / size - 0.5
    step = 1 / size
    corners = np.array([[first, first], [first + step, first], [first, first + step]])
    origin, right, down = roi.to_image(corners)
    to_image = np.column_stack([right - origin, down - origin, origin])
    cropped = cv2.warpAffine(
        image,
        to_image,
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=border,
    )
    return cropped[None].astype(np.float32) / 255


def upward_rotation(base: np.ndarray, tip: np.ndarray) -> float:
    """The rotation of a region in whose crop ``tip`` lies straight above ``base`` (both (2,))."""
    x, y = tip - base
    return float(np.arctan2(x, -y))


def roi_from_palm(center: np.ndarray, size: float, keypoints: np.ndarray) -> Roi:
    """The region of the hand to which a palm belongs.

    center: (2,) pixels, of the palm's box.
    size: side of the palm's box, pixels.
    keypoints: (7, 2) pixels: wrist, index, middle, ring and little finger MCP, thumb CMC, MCP.
    """
    rotation = upward_rotation(keypoints[_PALM_WRIST], keypoints[_PALM_MIDDLE_MCP])
    x, y = center + turn(np.array([0.0, -PALM_SHIFT * size]), rotation)
    return Roi(float(x), float(y), PALM_SCALE * size, rotation)


def roi_from_landmarks(pixels: np.ndarray) -> Roi:
    """The region of the hand in the next image, from its joints (21, 2), pixels.

    It turns, grows and shifts with the joints.
    """
    knuckles = (pixels[_INDEX_MCP] + pixels[_RING_MCP]) / 4 + pixels[_MIDDLE_MCP] / 2
    rotation = upward_rotation(pixels[_WRIST], knuckles)
    upright = turn(pixels[_STEADY_JOINTS], -rotation)
    low, high = upright.min(axis=0), upright.max(axis=0)
    width, height = high - low
    center = (low + high) / 2 + [0, -HAND_SHIFT * height]
    x, y = turn(center, rotation)
    return Roi(float(x), float(y), HAND_SCALE * float(max(width, height)), rotation)
