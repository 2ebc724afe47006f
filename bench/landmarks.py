"""Area ``landmarks``: processor time of the default pipeline, step by step."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from tqdm import tqdm

from bench.records import Record
from hamer_ros.camera.model import CameraModel
from hamer_ros.detection import make_detector
from hamer_ros.estimation import make_estimator
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hands import Frame, Handedness, PlacedHand
from hamer_ros.inference.model_store import model_path
from hamer_ros.inference.onnx_session import OnnxModel
from hamer_ros.placement.placer import Placer
from hamer_ros.rendering.clip import FRAME_RATE, HEIGHT, INTRINSICS, WIDTH, clip_frame
from hamer_ros.tracking import Tracker

FRAMES = 90
CASES = {"one_hand": (Handedness.RIGHT,), "two_hands": (Handedness.LEFT, Handedness.RIGHT)}
REPEATS = 5


def measure_landmarks(_: Path) -> list[Record]:
    """Run the clip through the steps on one thread, and return their times.

    The reference is the time of the landmark model alone, once for each hand: no pipeline around
    that model can be cheaper.
    """
    bound = _landmark_model()
    records = []
    for case, sides in CASES.items():
        steps = _steps(case, sides)
        total = sum(steps.values())
        floor = len(sides) * bound
        reference = "the landmark model alone"
        records.append(Record(f"landmarks/cpu_ms_per_frame/{case}", total, "ms", reference, floor))
        records += [
            Record(f"landmarks/cpu_ms_{step}/{case}", value, "ms", reference, floor)
            for step, value in steps.items()
        ]
    return records


def _landmark_model() -> float:
    """Return the milliseconds of processor time for one run of the model, the least of several."""
    model = OnnxModel(model_path("hand_landmark_full"))
    crop = np.random.default_rng(0).random((1, 224, 224, 3), np.float32)
    times = []
    for _ in range(REPEATS):
        begin = time.process_time()
        for _ in range(20):
            model(crop)
        times.append((time.process_time() - begin) / 20)
    return 1e3 * min(times)


def _steps(case: str, sides: tuple[Handedness, ...]) -> dict[str, float]:
    """Return the processor time per frame of each step, milliseconds, without the first second."""
    model = HandModel.default()
    camera = CameraModel(
        WIDTH, HEIGHT, INTRINSICS[0, 0], INTRINSICS[1, 1], INTRINSICS[0, 2], INTRINSICS[1, 2]
    )
    frames = [clip_frame(model, k, sides=sides).rgb for k in tqdm(range(FRAMES), f"render {case}")]
    detector, estimator, placer, tracker = (
        make_detector("landmarks"),
        make_estimator("landmarks"),
        Placer(model.faces),
        Tracker(model),
    )
    times_of: dict[str, list[float]] = defaultdict(list)
    for k, rgb in enumerate(tqdm(frames, f"measure {case}")):
        frame = Frame(rgb, k / FRAME_RATE, camera)
        with _timing(times_of["detect"]):
            detections = detector.detect(frame)
        with _timing(times_of["estimate"]):
            hands = estimator.estimate(frame, detections)
        with _timing(times_of["place"]):
            placements = placer.place(frame, hands)
        with _timing(times_of["track"]):
            placed = [hand for hand in placements if isinstance(hand, PlacedHand)]
            tracker.track(frame, placed)
    settled = int(FRAME_RATE)
    return {step: 1e3 * float(np.mean(times[settled:])) for step, times in times_of.items()}


@contextmanager
def _timing(times: list[float]) -> Iterator[None]:
    begin = time.process_time()
    yield
    times.append(time.process_time() - begin)
