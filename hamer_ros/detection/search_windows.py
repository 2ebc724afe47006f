"""Windows of an image in which new hands are searched, and the order in which they come."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from hamer_ros.detection.roi import Roi

WHOLE_SIDE = 1.3
"""Side of the window over the whole image relative to the image's longer side."""

TILE_SIDE = 0.6
"""Side of a tile relative to the image's shorter side."""

MIN_TILE_SIDE = 0.25
"""Side of a tile relative to the image's longer side, at least: bounds their number."""

TILE_STEP = 0.65
"""Largest distance of neighbouring tiles relative to their side; what two tiles share must hold
any hand that is too small for the whole image."""


class PalmModel(enum.Enum):
    """The palm models: full sees more, lite sees smaller hands."""

    LITE = "palm_detection_lite"
    FULL = "palm_detection_full"


@dataclass(frozen=True)
class Search:
    """One run of a palm model on a part of the image."""

    model: PalmModel
    window: Roi


def whole_image(width: int, height: int) -> Roi:
    """The upright square around the image, with a margin.

    In the margin the image is mirrored, which completes a hand that its edge cuts off.
    """
    return Roi((width - 1) / 2, (height - 1) / 2, WHOLE_SIDE * max(width, height))


def tiles(width: int, height: int) -> list[Roi]:
    """The overlapping upright squares that cover the image, row by row."""
    side = max(TILE_SIDE * min(width, height), MIN_TILE_SIDE * max(width, height))
    return [
        Roi(float(x), float(y), side)
        for y in _tile_centers(height, side)
        for x in _tile_centers(width, side)
    ]


def _tile_centers(length: int, side: float) -> np.ndarray:
    if length <= side:
        return np.array([(length - 1) / 2])
    count = int(np.ceil((length - side) / (TILE_STEP * side))) + 1
    return np.linspace(side / 2, length - side / 2, count) - 0.5


def thorough_search(width: int, height: int) -> list[Search]:
    """All searches, for a photograph."""
    windows = [whole_image(width, height), *tiles(width, height)]
    return [Search(model, window) for window in windows for model in PalmModel]


def first_search(width: int, height: int) -> list[Search]:
    """The searches that find most hands at once, for the first image of a video."""
    return [Search(model, whole_image(width, height)) for model in PalmModel]


def search_cycle(width: int, height: int) -> list[Search]:
    """The searches that a video goes through in turn, a few an image.

    Every other search is of the whole image, with one model and the other, so that a hand of common
    size is found soon; between them come the tiles, one after the other.
    """
    whole = whole_image(width, height)
    cycle = []
    for k, tile in enumerate(tiles(width, height)):
        cycle.append(Search(PalmModel.LITE if k % 2 else PalmModel.FULL, whole))
        cycle.append(Search(PalmModel.LITE, tile))
    return cycle
