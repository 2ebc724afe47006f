"""Boards that hide hands: upright rectangles nearer to the camera than everything else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

SLIDE_FRAMES = 4
"""Number of frames in which a board slides into its place, and in which it leaves."""


@dataclass(frozen=True)
class Board:
    """A board that stands in its place for some frames and is elsewhere before and after.

    left, top, right, bottom: its place, pixels.
    first, last: frames in which it is in its place.
    away: pixels to the right and down between its place and where it comes from and goes to.
    """

    left: int
    top: int
    right: int
    bottom: int
    first: int = 0
    last: int = 10**9
    away: tuple[float, float] = (0.0, 0.0)

    def shift(self, index: int) -> tuple[int, int]:
        """Return its offset from its place in a frame, pixels to the right and down."""
        early, late = self.first - index, index - self.last
        share = min(max(early, late, 0) / SLIDE_FRAMES, 1.0)
        return round(share * self.away[0]), round(share * self.away[1])

    def place(self, index: int, width: int, height: int) -> tuple[slice, slice]:
        """Return the rows and columns that it covers in a frame of an image."""
        right, down = self.shift(index)
        rows = slice(_within(self.top + down, height), _within(self.bottom + down, height))
        columns = slice(_within(self.left + right, width), _within(self.right + right, width))
        return rows, columns


def paint(rgb: np.ndarray, board: Board, index: int) -> None:
    """Draw the board of a frame into an image (H, W, 3) uint8 RGB."""
    height, width = rgb.shape[:2]
    rows, columns = board.place(index, width, height)
    right, down = board.shift(index)
    texture = _texture(board.right - board.left, board.bottom - board.top)
    rgb[rows, columns] = texture[
        rows.start - board.top - down : rows.stop - board.top - down,
        columns.start - board.left - right : columns.stop - board.left - right,
    ]


@lru_cache(maxsize=4)
def _texture(width: int, height: int) -> np.ndarray:
    """Return printed cardboard (height, width, 3) uint8: stains, fibres, marks and a worn rim."""
    rng = np.random.default_rng(0)
    stains = _cloud(rng, width, height, 40)
    fibres = cv2.GaussianBlur(rng.standard_normal((height, width)), (0, 0), 6.0, sigmaY=0.8)
    light = 18.0 * stains + 40.0 * fibres
    marks = np.zeros((height, width))
    for u, v in rng.uniform(0.1, 0.9, (24, 2)) * [width, height]:
        length, thickness = int(rng.integers(6, 30)), int(rng.integers(2, 7))
        cv2.line(marks, (int(u), int(v)), (int(u) + length, int(v)), (1.0,), thickness)
    cv2.rectangle(marks, (0, 0), (width - 1, height - 1), (0.5,), 4)
    color = np.array([120.0, 128.0, 104.0]) + light[..., None] - 62.0 * marks[..., None]
    return np.clip(color, 0, 255).astype(np.uint8)


def _cloud(rng: np.random.Generator, width: int, height: int, grain: int) -> np.ndarray:
    """Return smooth noise (height, width) of unit size that varies over ``grain`` pixels."""
    coarse = rng.standard_normal((height // grain + 2, width // grain + 2))
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def _within(value: int, end: int) -> int:
    return min(max(value, 0), end)
