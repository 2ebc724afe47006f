"""The picture of the tracking scenes: frames with the tracked hands, one row for each scene."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from bench.tracks_run import Run
from hamer_ros.demo.drawing import TEXT, WARNING, canvas, put_text

_HEAD = 26
"""Height of the line over a row, pixels."""


def draw(path: Path, runs: Sequence[Run]) -> None:
    """Write the picture of all scenes."""
    picture = np.concatenate([_row(run) for run in runs])
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


def _row(run: Run) -> np.ndarray:
    frames = np.concatenate(run.pictures, axis=1)
    head = canvas(frames.shape[1], _HEAD)
    title = f"{run.scene.name} {run.scene.variation}: {run.switches} switches"
    put_text(head, title, (8, _HEAD / 2), 0.5, WARNING if run.switches else TEXT)
    return np.concatenate([head, frames])
