"""Pictures for the messages: mostly small ones without hands, and now and then two hands."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from hamer_ros.hand_model.model import HandModel
from hamer_ros.rendering.clip import HEIGHT, WIDTH, clip_frame

_SMALL = (160, 120)
_CLIP_FRAMES = 8


def size(rng: np.random.Generator) -> tuple[int, int]:
    """Return width and height in pixels, from a single one to those of a camera."""
    draw = rng.random()
    if draw < 0.25:
        return int(rng.integers(1, 17)), int(rng.integers(1, 17))
    if draw < 0.995:
        return int(rng.integers(16, 97)), int(rng.integers(16, 97))
    return (1280, 720) if draw > 0.999 else (WIDTH, HEIGHT)


def background(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Return (height, width, 3) uint8 RGB without hands: one colour, a ramp or noise."""
    draw = rng.integers(3)
    if draw == 0:
        return np.full((height, width, 3), rng.integers(0, 256, 3), np.uint8)
    if draw == 1:
        ramp = np.linspace(0, 255, width).astype(np.uint8)
        return np.ascontiguousarray(np.broadcast_to(ramp[None, :, None], (height, width, 3)))
    return rng.integers(0, 256, (height, width, 3), np.uint8)


def hands(rng: np.random.Generator) -> np.ndarray:
    """Return (120, 160, 3), or seldom (480, 640, 3), uint8 RGB with two hands."""
    return _hands(int(rng.integers(_CLIP_FRAMES)), bool(rng.random() < 0.9))


def large_hands(rng: np.random.Generator) -> np.ndarray:
    """Return (480, 640, 3) uint8 RGB with two hands."""
    return _hands(int(rng.integers(_CLIP_FRAMES)), False)


@lru_cache
def _hands(index: int, small: bool) -> np.ndarray:
    rgb = clip_frame(HandModel.default(), index, _CLIP_FRAMES).rgb
    return cv2.resize(rgb, _SMALL, interpolation=cv2.INTER_AREA) if small else rgb
