"""Draw the 21 joints of a hand over an image, one colour for each finger."""

from __future__ import annotations

import cv2
import numpy as np

from hamer_ros.hand_model.topology import BONES

FINGER_COLORS = (
    (255, 112, 67),  # thumb
    (255, 202, 40),  # index
    (102, 187, 106),  # middle
    (66, 165, 245),  # ring
    (171, 71, 188),  # little
)
"""Red, green and blue of each finger."""

WRIST_COLOR = (236, 239, 241)

_SHIFT = 4
"""Fractional bits of the coordinates that OpenCV draws at."""

_FARTHEST = 1e4
"""Pixels; OpenCV's fixed-point coordinates overflow for joints much farther out than this."""


def draw_skeleton(image: np.ndarray, keypoints: np.ndarray, thickness: int = 2) -> np.ndarray:
    """Draw bones and joints; joints that are not finite or far outside are left out.

    image: (H, W, 3) uint8 RGB; it is not changed.
    keypoints: (21, 2) pixels, OpenPose order.
    thickness: of the bones, pixels.

    Returns a new image.
    """
    out = image.copy()
    drawable = np.isfinite(keypoints).all(axis=1)
    drawable &= (np.abs(np.where(drawable[:, None], keypoints, 0.0)) < _FARTHEST).all(axis=1)
    fixed = np.where(drawable[:, None], keypoints, 0.0) * 2**_SHIFT
    points = [(int(u), int(v)) for u, v in np.round(fixed)]
    for parent, child in BONES:
        if drawable[parent] and drawable[child]:
            cv2.line(
                out, points[parent], points[child], _color(child), thickness, cv2.LINE_AA, _SHIFT
            )
    radius = round(0.9 * thickness * 2**_SHIFT)
    for joint in range(len(points)):
        if drawable[joint]:
            cv2.circle(out, points[joint], radius, _color(joint), -1, cv2.LINE_AA, _SHIFT)
    return out


def _color(joint: int) -> tuple[int, int, int]:
    return WRIST_COLOR if joint == 0 else FINGER_COLORS[(joint - 1) // 4]
