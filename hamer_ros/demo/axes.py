"""Axes of a chart and lines in them, drawn with OpenCV; all images are (H, W, 3) uint8 RGB."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from hamer_ros.demo.drawing import LINE, MUTED, PANEL, WARNING, Color, put_text

_SHIFT = 4
"""Fractional bits of coordinates: OpenCV draws lines at 1 / 2^_SHIFT of a pixel."""


@dataclass(frozen=True)
class Axes:
    """A panel of a chart.

    left, top, width, height: pixels.
    x_max: end of the range of x, which begins at 0.
    y_max, y_min: range of y; values beyond it lie on the border.
    """

    left: int
    top: int
    width: int
    height: int
    x_max: float
    y_max: float
    y_min: float = 0.0

    def to_pixels(self, x: float, y: float) -> tuple[float, float]:
        """Return (u, v) in pixels of a value."""
        part = (min(max(y, self.y_min), self.y_max) - self.y_min) / (self.y_max - self.y_min)
        return self.left + self.width * x / self.x_max, self.top + self.height * (1 - part)

    def draw(self, image: np.ndarray, title: str) -> None:
        """Draw the panel, its grid and its numbers."""
        corners = self.to_pixels(0, self.y_max), self.to_pixels(self.x_max, self.y_min)
        cv2.rectangle(image, _fixed(corners[0]), _fixed(corners[1]), PANEL, -1, cv2.LINE_8, _SHIFT)
        put_text(image, title, (self.left, self.top - 16), 0.45, MUTED)
        step = _step(self.y_max - self.y_min)
        for y in np.arange(np.ceil(self.y_min / step) * step, self.y_max + 1e-9 * step, step):
            draw_line(image, [self.to_pixels(0, y), self.to_pixels(self.x_max, y)], LINE, 1)
            place = self.left - 10, self.to_pixels(0, y)[1]
            put_text(image, f"{y:g}", place, 0.42, MUTED, align=1.0)
        for x in np.arange(0, self.x_max + 1e-9, _step(self.x_max)):
            u, v = self.to_pixels(x, self.y_min)
            draw_line(image, [(u, v), (u, v + 5)], LINE, 1)
            put_text(image, f"{x:g}", (u, v + 16), 0.42, MUTED, align=0.5)

    def curve(
        self,
        image: np.ndarray,
        points: Iterable[tuple[float, float]],
        color: Color,
        thickness: int = 2,
    ) -> None:
        """Draw a line through values."""
        pixels = [self.to_pixels(x, y) for x, y in points]
        if pixels:
            draw_line(image, pixels, color, thickness)

    def limit(self, image: np.ndarray, y: float, text: str) -> None:
        """Draw a dashed line at a value that is not to be exceeded, with its name."""
        (start, v), (end, _) = self.to_pixels(0, y), self.to_pixels(self.x_max, y)
        for u in np.arange(start, end, 12.0):
            draw_line(image, [(u, v), (min(u + 6, end), v)], WARNING, 1)
        put_text(image, text, (end - 6, v - 9), 0.38, WARNING, align=1.0)


def round_up(value: float) -> float:
    """Return the next larger multiple of a round step."""
    step = _step(value)
    return step * float(np.ceil(value / step))


def draw_line(
    image: np.ndarray, pixels: Sequence[tuple[float, float]], color: Color, thickness: int
) -> None:
    """Draw a line through points in pixels."""
    points = np.array([_fixed(pixel) for pixel in pixels], np.int32)
    cv2.polylines(image, [points], False, color, thickness, cv2.LINE_AA, _SHIFT)


def draw_dot(image: np.ndarray, pixel: tuple[float, float], color: Color) -> None:
    """Draw a filled dot at a point in pixels."""
    cv2.circle(image, _fixed(pixel), 5 * 2 ** (_SHIFT - 1), color, -1, cv2.LINE_AA, _SHIFT)


def _step(value: float) -> float:
    """Return a round number of which about five fit into the value."""
    unit = 10.0 ** np.floor(np.log10(value / 5))
    return float(min((unit, 2 * unit, 5 * unit, 10 * unit), key=lambda s: abs(s - value / 5)))


def _fixed(pixel: tuple[float, float]) -> tuple[int, int]:
    return round(pixel[0] * 2**_SHIFT), round(pixel[1] * 2**_SHIFT)
