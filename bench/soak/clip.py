"""The clip that the camera of the soak plays: hands that come and go, over and over."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from functools import lru_cache
from pathlib import Path

import numpy as np

from hamer_ros.demo.frame_stack import write_stack
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hands import Handedness
from hamer_ros.rendering.clip import FRAME_RATE, clip_frame

LOOP = 150
"""Frames of a whole loop of the two hands."""

_LEFT, _RIGHT = (Handedness.LEFT,), (Handedness.RIGHT,)

FRAMES: tuple[tuple[int, tuple[Handedness, ...]], ...] = (
    *((index, _LEFT + _RIGHT) for index in range(LOOP)),
    *((index, _LEFT) for index in range(60)),
    *((index, ()) for index in range(60, 90)),
    *((index, _RIGHT) for index in range(90, LOOP)),
)
"""Frame of the loop and the hands in it.  A hand that stays in view moves on without a jump."""

HANDS = np.array([len(sides) for _, sides in FRAMES])
"""Number of hands in each frame."""

SECONDS = len(FRAMES) / FRAME_RATE
"""Duration of the clip in seconds."""


def render(path: Path, pool: Executor, progress: Callable[[int], object]) -> None:
    """Render `FRAMES` into a stack of frames, (N, 480, 640, 3) uint8 RGB.

    progress: called with the number of frames that have been added.

    Raises:
        OSError: the disk is full, for example.
    """
    write_stack(path, len(FRAMES), pool.map(_render, FRAMES, chunksize=4), progress)


def _render(frame: tuple[int, tuple[Handedness, ...]]) -> np.ndarray:
    index, sides = frame
    return clip_frame(_model(), index, LOOP, sides).rgb


@lru_cache(maxsize=1)
def _model() -> HandModel:
    return HandModel.default()
