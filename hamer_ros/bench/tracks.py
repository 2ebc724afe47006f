"""Area ``tracks``: identity, jitter and lag on rendered scenes whose truth is known."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hamer_ros.bench.records import Record
from hamer_ros.bench.tracks_picture import draw
from hamer_ros.bench.tracks_run import Run, play
from hamer_ros.detection import DetectorOptions
from hamer_ros.hand_model.model import HandModel
from hamer_ros.rendering.clip import FRAME_RATE
from hamer_ros.rendering.scenes import Scene, scenes, still, sweep
from hamer_ros.track_evaluation import jitter, lag, steady, velocities

VARIATIONS = (0, 1, 2)

SETTLING = 10
"""Frames after the beginning and after turning points in which a lag is not measured."""


def measure_tracks(out: Path) -> list[Record]:
    """Play all scenes; pictures of them are left in ``tracks.jpg``."""
    model = HandModel.default()
    played = _played([still(), sweep(), *(s for v in VARIATIONS for s in scenes(model, v))])
    draw(out / "tracks.jpg", played)
    still_, sweep_ = (
        next(run for run in played if run.scene.name == n) for n in ("still", "sweep")
    )
    until_found = [delay for run in played for delay in run.refound()]
    period, none = 1e3 / FRAME_RATE, "none"
    searches = "images from one search for new hands to the next"
    kinds = sorted({run.scene.name for run in played})
    return [
        Record("tracks/id_switches", _sum(run.switches for run in played), "", none, 0.0),
        *(
            Record(
                f"tracks/id_switches/{kind}",
                _sum(run.switches for run in played if run.scene.name == kind),
                "",
                none,
                0.0,
            )
            for kind in kinds
        ),
        Record("tracks/fragmentations", _sum(run.fragmentations for run in played), "", none, 0.0),
        Record("tracks/side_errors", _sum(run.side_errors for run in played), "", none, 0.0),
        Record("tracks/invented", _sum(run.invented for run in played), "", none, 0.0),
        Record(
            "tracks/missed_share",
            _sum(run.missed for run in played) / _sum(run.visible for run in played),
            "",
            none,
            0.0,
        ),
        Record("tracks/refound_frames", float(np.mean(until_found)), "", searches, _PERIOD),
        Record("tracks/refound_frames/max", max(until_found), "", searches, _PERIOD),
        Record("tracks/jitter_ratio", jitter_ratio(still_), "", "asked for", 5.0),
        Record("tracks/lag_frames", lag_frames(sweep_), "", "one frame", 1.0),
        Record("tracks/lag_frames/truth", lag_frames(sweep_, True), "", "one frame", 1.0),
        Record(
            "tracks/ms_per_frame",
            float(np.mean([t for run in played for t in run.milliseconds[int(FRAME_RATE) :]])),
            "ms",
            f"the time between two images at {FRAME_RATE:.0f} Hz",
            period,
        ),
    ]


_PERIOD = float(DetectorOptions().search_period)


def jitter_ratio(run: Run) -> float:
    """Jitter of the joints as placed over that as tracked, on hands that do not move."""
    raw, smooth = [], []
    for hand in range(len(run.scene.courses)):
        seen = [s for s in run.matched(hand) if s is not None][SETTLING:]
        raw.append(jitter(np.array([s.raw for s in seen])))
        smooth.append(jitter(np.array([s.joints for s in seen])))
    return float(np.linalg.norm(raw) / np.linalg.norm(smooth))


def lag_frames(run: Run, behind_truth: bool = False) -> float:
    """Frames by which the tracked wrist comes behind the wrist as placed, or the true one."""
    seen = run.matched(0)
    truth = np.array([hands[0].joints[0, 0] for hands in run.truth])
    velocity = velocities(truth)
    known = np.array([s is not None for s in seen]) & steady(velocity, SETTLING)
    wrist = np.array([s.joints[0, 0] for s, k in zip(seen, known, strict=True) if k and s])
    placed = np.array([s.raw[0, 0] for s, k in zip(seen, known, strict=True) if k and s])
    return lag(wrist, truth[known] if behind_truth else placed, velocity[known])


def _played(all_scenes: list[Scene]) -> list[Run]:
    """Render the scenes and run the pipeline over them, one process for each processor."""
    context = multiprocessing.get_context("spawn")
    longest_first = sorted(all_scenes, key=lambda scene: -scene.n_frames * len(scene.courses))
    with (
        ProcessPoolExecutor(os.cpu_count(), mp_context=context) as workers,
        tqdm(total=sum(scene.n_frames for scene in all_scenes), unit=" frames") as bar,
    ):
        runs = []
        for future in as_completed([workers.submit(play, scene) for scene in longest_first]):
            runs.append(future.result())
            bar.update(runs[-1].scene.n_frames)
    return sorted(runs, key=lambda run: (run.scene.name, run.scene.variation))


def _sum(counts: Iterable[int]) -> float:
    return float(sum(counts))
