"""Where to look for new hands: windows over the image and the order in which they come."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from hamer_ros.detection.crop import Region

WHOLE_SIDE = 1.3
"""Side of the window over the whole image relative to the image's longer side."""

TILE_SIDE = 0.6
"""Side of a tile relative to the image's shorter side."""

MIN_TILE_SIDE = 0.25
"""Side of a tile relative to the image's longer side, at least: bounds their number."""

TILE_STEP = 0.65
"""Largest distance of neighbouring tiles relative to their side; what two tiles share must hold
any hand that is too small for the whole image."""


class PalmNet(enum.Enum):
    """The palm nets: full sees more, lite sees smaller hands."""

    LITE = "palm_detection_lite"
    FULL = "palm_detection_full"


@dataclass(frozen=True)
class Search:
    """One run of a palm net: which net looks at which part of the image."""

    net: PalmNet
    window: Region


def whole_image(width: int, height: int) -> Region:
    """Return the upright square around the image, with a margin.

    In the margin the image is mirrored, which completes a hand that its edge cuts off.
    """
    return Region((width - 1) / 2, (height - 1) / 2, WHOLE_SIDE * max(width, height))


def tiles(width: int, height: int) -> list[Region]:
    """Cover the image with overlapping upright squares, row by row."""
    side = max(TILE_SIDE * min(width, height), MIN_TILE_SIDE * max(width, height))
    return [
        Region(float(x), float(y), side)
        for y in _tile_centers(height, side)
        for x in _tile_centers(width, side)
    ]


def _tile_centers(length: int, side: float) -> np.ndarray:
    if length <= side:
        return np.array([(length - 1) / 2])
    count = int(np.ceil((length - side) / (TILE_STEP * side))) + 1
    return np.linspace(side / 2, length - side / 2, count) - 0.5


def thorough_search(width: int, height: int) -> list[Search]:
    """List everything there is to search, for a photograph."""
    windows = [whole_image(width, height), *tiles(width, height)]
    return [Search(net, window) for window in windows for net in PalmNet]


def first_search(width: int, height: int) -> list[Search]:
    """List what finds most hands at once, for the first image of a video."""
    return [Search(net, whole_image(width, height)) for net in PalmNet]


def search_cycle(width: int, height: int) -> list[Search]:
    """List the searches that a video goes through in turn, a few an image.

    Every other search is of the whole image, with one net and the other, so that a hand of common
    size is found soon; between them come the tiles, one after the other.
    """
    whole = whole_image(width, height)
    cycle = []
    for k, tile in enumerate(tiles(width, height)):
        cycle.append(Search(PalmNet.LITE if k % 2 else PalmNet.FULL, whole))
        cycle.append(Search(PalmNet.LITE, tile))
    return cycle
