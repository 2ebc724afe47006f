"""Text, panels and colours of the demo's pictures; all images are (H, W, 3) uint8 RGB."""

from __future__ import annotations

import cv2
import numpy as np

from hamer_ros.demo.transliteration import spelled
from hamer_ros.hands import Handedness
from hamer_ros.rendering.labels import Box, raised
from hamer_ros.rendering.overlay import HANDEDNESS_COLORS

Color = tuple[int, int, int]

BACKGROUND: Color = (22, 26, 32)
PANEL: Color = (40, 46, 55)
LINE: Color = (70, 78, 90)
MUTED: Color = (150, 160, 172)
TEXT: Color = (232, 236, 240)
TRUTH: Color = (255, 255, 255)
WARNING: Color = (240, 110, 100)

HAND_COLORS: dict[Handedness, Color] = {
    handedness: (round(255 * r), round(255 * g), round(255 * b))
    for handedness, (r, g, b) in HANDEDNESS_COLORS.items()
}
"""Colour of each hand, as in the node's overlay and markers."""

_FONT = cv2.FONT_HERSHEY_DUPLEX


def canvas(width: int, height: int, color: Color = BACKGROUND) -> np.ndarray:
    """Return a picture of one colour."""
    return np.full((height, width, 3), color, np.uint8)


def text_size(text: str, size: float = 0.5) -> tuple[int, int]:
    """Return width and height of the capitals, pixels, as `put_text` writes the text."""
    (width, height), _ = cv2.getTextSize(spelled(text), _FONT, size, _weight(size))
    return width, height


def put_text(
    image: np.ndarray,
    text: str,
    place: tuple[float, float],
    size: float = 0.5,
    color: Color = TEXT,
    align: float = 0.0,
) -> None:
    """Write into the image, on one line, in the letters of ASCII (see `spelled`).

    place: (u, v) of the middle of the line's height and of its left end, right end or middle, as
        align is 0, 1 or 0.5.
    """
    width, height = text_size(text, size)
    origin = round(place[0] - align * width), round(place[1] + height / 2)
    cv2.putText(image, spelled(text), origin, _FONT, size, color, _weight(size), cv2.LINE_AA)


def shorten(text: str, size: float, max_width: float) -> str:
    """Return the text, without its middle where it is wider than ``max_width`` pixels."""
    text = spelled(text)
    kept = len(text)
    short = text
    while kept > 2 and text_size(short, size)[0] > max_width:
        kept -= 2
        short = f"{text[: kept // 2]} ... {text[-(kept // 2) :]}"
    return short


def put_tag(
    image: np.ndarray, text: str, corner: tuple[float, float], color: Color, taken: list[Box]
) -> None:
    """Write on a dark plate with a coloured edge.

    corner: bottom-left, as far as that keeps the plate in the image and off other plates.
    taken: the plates in the image so far; this one is added.
    """
    size = max(0.45, min(image.shape[:2]) / 1100)
    width, height = text_size(text, size)
    pad = round(0.7 * height)
    plate_width, plate_height = width + 3 * pad, height + 2 * pad
    left = int(np.clip(corner[0], 4, max(4, image.shape[1] - plate_width - 4)))
    top = int(np.clip(corner[1] - plate_height, 4, max(4, image.shape[0] - plate_height - 4)))
    box = raised((left, top, left + plate_width, top + plate_height), taken)
    taken.append(box)
    left, top = box[:2]
    window = image[top : top + plate_height, left : left + plate_width]
    window[:] = (0.28 * window + 0.72 * np.array(BACKGROUND)).astype(np.uint8)
    window[:, : pad // 2 + 1] = color
    put_text(image, text, (left + 2 * pad, top + plate_height / 2), size)


def put_swatch(image: np.ndarray, text: str, place: tuple[int, int], color: Color) -> int:
    """Draw a legend entry at (u, v), the middle of its left edge, and return u of its right end."""
    u, v = place
    cv2.rectangle(image, (u, v - 6), (u + 12, v + 6), color, -1, cv2.LINE_AA)
    put_text(image, text, (u + 20, v), 0.45, MUTED)
    return u + 20 + text_size(text, 0.45)[0]


def put_ring(image: np.ndarray, place: tuple[float, float]) -> None:
    """Draw a true joint: a small white ring with a faint dark rim."""
    centre = round(16 * place[0]), round(16 * place[1])
    for radius, color in ((3.6, LINE), (2.8, TRUTH)):
        cv2.circle(image, centre, round(16 * radius), color, 1, cv2.LINE_AA, 4)


def scaled(image: np.ndarray, factor: float) -> np.ndarray:
    """Return the image enlarged or reduced by a factor."""
    if factor == 1.0:
        return image
    size = max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor))
    interpolation = cv2.INTER_AREA if factor < 1.0 else cv2.INTER_CUBIC
    return cv2.resize(image, size, interpolation=interpolation)


def _weight(size: float) -> int:
    return max(1, round(1.3 * size))
