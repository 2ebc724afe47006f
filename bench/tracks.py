"""Area ``tracks``: identity, jitter and lag on rendered scenes whose truth is known."""

from __future__ import annotations

import math
import multiprocessing
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np
from tqdm import tqdm

from bench.records import BrokenPromiseError, Record
from bench.track_evaluation import jitter, lag, steady, velocities
from bench.tracking_scenes import Scene, scenes, still, sweep
from bench.tracks_picture import draw
from bench.tracks_run import CAMERA, Run, play
from hamer_ros.detection import DetectorOptions
from hamer_ros.hand_model.model import HandModel
from hamer_ros.rendering.clip import FRAME_RATE

VARIATIONS = (0, 1, 2)

SETTLING = 10
"""Number of frames after the beginning and after turning points in which a lag is not measured."""

CALMER = 5.0
"""Least factor by which smoothing must divide the jitter of a still hand."""
MOST_LAG = 1.0
"""Frames by which a smoothed hand may lag at 1 m/s."""


def measure_tracks(out: Path) -> list[Record]:
    """Play all scenes and return the figures; pictures of them are left in ``tracks.jpg``.

    Raises:
        BrokenPromiseError: an id was switched, a hand not found again, or smoothing is not as
            calm or as quick as promised.
    """
    model = HandModel.default()
    played = _played([still(), sweep(), *(s for v in VARIATIONS for s in scenes(model, v))])
    draw(out / "tracks.jpg", played)
    still_, sweep_ = (
        next(run for run in played if run.scene.name == n) for n in ("still", "sweep")
    )
    until_found = [delay for run in played for delay in run.refound()]
    missed, visible = (
        sum(counts) for counts in zip(*((r.missed, r.visible) for r in played), strict=True)
    )
    spent = float(np.mean([t for run in played for t in run.milliseconds[int(FRAME_RATE) :]]))
    none, searches = "none", "images from one search for new hands to the next"
    between_images = f"the time between two images at {FRAME_RATE:.0f} Hz"
    kinds = sorted({run.scene.name for run in played})
    records = [
        _count("id_switches", (run.switches for run in played)),
        *(
            _count(f"id_switches/{kind}", (r.switches for r in played if r.scene.name == kind))
            for kind in kinds
        ),
        _count("fragmentations", (run.fragmentations for run in played)),
        _count("handedness_errors", (run.handedness_errors for run in played)),
        _count("invented", (run.invented for run in played)),
        Record("tracks/missed_share", missed / visible, "", none, 0.0),
        Record("tracks/refound_frames", float(np.mean(until_found)), "", searches, _PERIOD),
        Record("tracks/refound_frames/max", max(until_found), "", searches, _PERIOD),
        Record("tracks/jitter_ratio", jitter_ratio(still_), "", "the promise", CALMER),
        Record("tracks/lag_frames", lag_frames(sweep_), "", "the promise", MOST_LAG),
        Record("tracks/lag_frames/truth", lag_frames(sweep_, True), "", "one frame", 1.0),
        *(
            Record(f"tracks/wrist_px/{figure}", value, "px", "the wrist as placed", raw)
            for figure, value, raw in wrist_errors(played)
        ),
        Record("tracks/ms_per_frame", spent, "ms", between_images, 1e3 / FRAME_RATE),
    ]
    if broken := broken_promises(records):
        raise BrokenPromiseError(f"{'; '.join(broken)}. See {out / 'tracks.jpg'}", records)
    return records


def broken_promises(records: Iterable[Record]) -> list[str]:
    """Return the promises that the figures break, in words."""
    figures = {record.name.removeprefix("tracks/"): record.value for record in records}
    requirements = {
        f"{figures['id_switches']:.0f} hands were given another's number": (
            figures["id_switches"] == 0
        ),
        "a hand that came back was not found again": math.isfinite(figures["refound_frames/max"]),
        f"the jitter of a still hand is only divided by {figures['jitter_ratio']:.1f}": (
            figures["jitter_ratio"] >= CALMER
        ),
        f"a hand at 1 m/s is followed {figures['lag_frames']:.2f} frames behind": (
            figures["lag_frames"] < MOST_LAG
        ),
    }
    return [text for text, kept in requirements.items() if not kept]


_PERIOD = float(DetectorOptions().search_period)


def jitter_ratio(run: Run) -> float:
    """Return the jitter of the joints as placed over that as tracked, on hands that do not move.

    The first second, in which the filter comes to rest, does not count.
    """
    raw, smooth = [], []
    for hand in range(len(run.scene.trajectories)):
        seen = [s for s in run.matched(hand) if s is not None][int(FRAME_RATE) :]
        raw.append(jitter(np.array([s.raw for s in seen])))
        smooth.append(jitter(np.array([s.joints for s in seen])))
    return float(np.linalg.norm(raw) / np.linalg.norm(smooth))


def lag_frames(run: Run, behind_truth: bool = False) -> float:
    """Return by how many frames the tracked wrist lags behind the placed one, or the true one."""
    seen = run.matched(0)
    truth = np.array([hands[0].joints[0, 0] for hands in run.truth])
    velocity = velocities(truth)
    known = np.array([s is not None for s in seen]) & steady(velocity, SETTLING)
    wrist = np.array([s.joints[0, 0] for s, k in zip(seen, known, strict=True) if k and s])
    placed = np.array([s.raw[0, 0] for s, k in zip(seen, known, strict=True) if k and s])
    return lag(wrist, truth[known] if behind_truth else placed, velocity[known])


def wrist_errors(played: Sequence[Run]) -> list[tuple[str, float, float]]:
    """Return the distance of the wrist from the true one in the image, mean and 99th percentile.

    Each in pixels, as tracked and as placed: the cost of smoothing where hands slow down, turn and
    come back.
    """
    errors = np.array(
        [
            [np.linalg.norm(CAMERA.project(x[:1])[0] - true) for x in (seen.joints, seen.raw)]
            for run in played
            for hand in range(len(run.scene.trajectories))
            for seen, true in zip(
                run.matched(hand), (t[hand].keypoints[0] for t in run.truth), strict=True
            )
            if seen is not None
        ]
    )
    mean, worst = errors.mean(axis=0), np.percentile(errors, 99, axis=0)
    return [("mean", float(mean[0]), float(mean[1])), ("p99", float(worst[0]), float(worst[1]))]


def _played(all_scenes: list[Scene]) -> list[Run]:
    """Render the scenes and run the pipeline over them, one process for each processor."""
    context = multiprocessing.get_context("spawn")
    longest_first = sorted(all_scenes, key=lambda scene: -scene.n_frames * len(scene.trajectories))
    with (
        ProcessPoolExecutor(os.cpu_count(), mp_context=context) as workers,
        tqdm(total=sum(scene.n_frames for scene in all_scenes), unit=" frames") as bar,
    ):
        runs = []
        for future in as_completed([workers.submit(play, scene) for scene in longest_first]):
            runs.append(future.result())
            bar.update(runs[-1].scene.n_frames)
    return sorted(runs, key=lambda run: (run.scene.name, run.scene.variation))


def _count(name: str, counts: Iterable[int]) -> Record:
    return Record(f"tracks/{name}", float(sum(counts)), "", "none", 0.0)
