"""The rendered clip as a source of the demo whose truth is known."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from functools import lru_cache
from pathlib import Path

import numpy as np

from hamer_ros.demo.frame_stack import write_stack
from hamer_ros.hand_model.model import HandModel
from hamer_ros.rendering.clip import (
    FRAME_RATE,
    INTRINSICS,
    HandTruth,
    clip_frame,
    clip_truth,
)

N_FRAMES = 150
"""Frames of the whole loop: 5 s."""

CAMERA = ",".join(f"{INTRINSICS[i]:g}" for i in ((0, 0), (1, 1), (0, 2), (1, 2)))
"""The clip's fx,fy,cx,cy in pixels."""


def clip_length(seconds: float | None) -> int:
    """Return the number of frames to play: the whole loop for None, and never more than that."""
    return N_FRAMES if seconds is None else min(N_FRAMES, max(1, round(FRAME_RATE * seconds)))


def render_clip(
    path: Path, n_frames: int, workers: Executor, progress: Callable[[int], object]
) -> None:
    """Render the first frames of the loop into a stack of frames, (N, 480, 640, 3) uint8 RGB.

    progress: called with the number of frames that have been added.

    Raises:
        OSError: the disk is full, for example.
    """
    write_stack(path, n_frames, workers.map(_render, range(n_frames), chunksize=4), progress)


def clip_truths(n_frames: int) -> tuple[tuple[HandTruth, ...], ...]:
    """Return the true hands of each of the first frames of the loop."""
    return tuple(clip_truth(_model(), index, N_FRAMES) for index in range(n_frames))


def _render(index: int) -> np.ndarray:
    return clip_frame(_model(), index, N_FRAMES).rgb


@lru_cache(maxsize=1)
def _model() -> HandModel:
    return HandModel.default()
