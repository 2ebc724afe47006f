"""Decode heat maps to keypoints, and keypoints to boxes of hands."""

from __future__ import annotations

import numpy as np

from hamer_ros.detection.found_boxes import FoundBox
from hamer_ros.detection.vitpose.crops import PersonWindow
from hamer_ros.geometry.boxes import box_around
from hamer_ros.hands import N_JOINTS, Handedness

FIRST_OF_HANDS = 91
"""Index of the left hand's 21 keypoints among the 133 of COCO-WholeBody; the right hand's follow.
"""

STRIDE = 4
"""Pixels of the crop for one of a heat map."""

SURE = 0.5
"""Confidence above which a keypoint counts."""

MIN_SURE = 4
"""Keypoints that must count for a hand."""


def merge_mirrored(maps: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
    """The mean of the heat maps of a crop and of the mirrored crop.

    maps, mirrored: (B, 42, H, W), of the left and the right hand.
    """
    left, right = np.split(mirrored, 2, axis=1)
    back = np.concatenate([right, left], axis=1)[..., ::-1].copy()
    # A cell of the model's grid is an even number of pixels wide and does not lie on its own mirror
    # image; one cell of the heat map makes up for it best.
    back[..., 1:] = back[..., :-1].copy()
    return (maps + back) / 2


def decode(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Decode the keypoints of heat maps (B, K, H, W).

    A keypoint is where its map is highest, moved by a quarter of a cell towards the higher
    neighbour in each direction, except at the border (Newell et al. 2016, arXiv:1603.06937).

    Returns (B, K, 2) x, y in cells of the map, and (B, K) the confidences.
    """
    height, width = maps.shape[2:]
    flat = maps.reshape(*maps.shape[:2], -1)
    place = flat.argmax(axis=2)
    scores = flat.max(axis=2)
    y, x = np.divmod(place, width)
    inside = (x > 1) & (x < width - 1) & (y > 1) & (y < height - 1)
    b, k = np.ogrid[: maps.shape[0], : maps.shape[1]]
    # Outside of `inside` the result is thrown away; there the neighbours need only exist.
    cx, cy = np.clip(x, 1, width - 2), np.clip(y, 1, height - 2)
    slope = np.stack(
        [
            maps[b, k, cy, cx + 1] - maps[b, k, cy, cx - 1],
            maps[b, k, cy + 1, cx] - maps[b, k, cy - 1, cx],
        ],
        axis=2,
    )
    points = np.stack([x, y], axis=2) + np.where(inside[..., None], np.sign(slope) / 4, 0.0)
    return points, scores


def person_hands(points: np.ndarray, scores: np.ndarray, window: PersonWindow) -> list[FoundBox]:
    """The boxes of a person's hands, the left one first.

    A hand is where at least four of its keypoints count, and the box is what those span: no margin
    is added, and it is not cut off at the border of the image.  Its score is their mean.

    points: (42, 2) cells of the heat map, of the left and the right hand.
    scores: (42,).
    """
    found = []
    hands = zip(Handedness, np.split(points, 2), np.split(scores, 2), strict=True)
    for handedness, hand_points, hand_scores in hands:
        sure = hand_scores > SURE
        if sure.sum() < MIN_SURE:
            continue
        pixels = window.to_image(STRIDE * hand_points[sure])
        score = float(min(hand_scores[sure].mean(), 1.0))
        right = score if handedness is Handedness.RIGHT else 1 - score
        found.append(FoundBox(box_around(pixels), score, right))
    return found


HANDS = slice(FIRST_OF_HANDS, FIRST_OF_HANDS + 2 * N_JOINTS)
"""The heat maps of the hands among all."""
