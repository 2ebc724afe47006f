"""Area ``landmarks``: processor time of the embedded default, stage by stage."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hamer_ros.bench.records import Record
from hamer_ros.camera import CameraModel
from hamer_ros.detection import make_detector
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hands import Frame, PlacedHand, Side
from hamer_ros.nets.session import Net
from hamer_ros.nets.store import net_path
from hamer_ros.placement.placer import Placer
from hamer_ros.recovery import make_recoverer
from hamer_ros.rendering.clip import FRAME_RATE, HEIGHT, INTRINSICS, WIDTH, clip_frame
from hamer_ros.tracking import Tracker

FRAMES = 90
CASES = {"one_hand": (Side.RIGHT,), "two_hands": (Side.LEFT, Side.RIGHT)}
REPEATS = 5


def measure_landmarks(_: Path) -> list[Record]:
    """Run the clip through the stages on one thread.

    The reference is the time of the landmark net alone, once for each hand: no pipeline around
    that net can be cheaper.
    """
    bound = _landmark_net()
    records = []
    for case, sides in CASES.items():
        stages = _stages(case, sides)
        total = sum(stages.values())
        floor = len(sides) * bound
        told = "the landmark net alone"
        records.append(Record(f"landmarks/cpu_ms_per_frame/{case}", total, "ms", told, floor))
        records += [
            Record(f"landmarks/cpu_ms_{stage}/{case}", value, "ms", told, floor)
            for stage, value in stages.items()
        ]
    return records


def _landmark_net() -> float:
    """Milliseconds of processor time for one run of the net, the least of some rounds."""
    net = Net(net_path("hand_landmark_full"))
    crop = np.random.default_rng(0).random((1, 224, 224, 3), np.float32)
    times = []
    for _ in range(REPEATS):
        begin = time.process_time()
        for _ in range(20):
            net(crop)
        times.append((time.process_time() - begin) / 20)
    return 1e3 * min(times)


def _stages(case: str, sides: tuple[Side, ...]) -> dict[str, float]:
    """Milliseconds of processor time per frame of each stage, without the first second."""
    model = HandModel.default()
    camera = CameraModel(
        WIDTH, HEIGHT, INTRINSICS[0, 0], INTRINSICS[1, 1], INTRINSICS[0, 2], INTRINSICS[1, 2]
    )
    frames = [clip_frame(model, k, sides=sides).rgb for k in tqdm(range(FRAMES), f"render {case}")]
    detector, recoverer, placer, tracker = (
        make_detector("landmarks"),
        make_recoverer("landmarks"),
        Placer(model.faces),
        Tracker(model),
    )
    spent: dict[str, list[float]] = defaultdict(list)
    for k, rgb in enumerate(tqdm(frames, f"measure {case}")):
        frame = Frame(rgb, k / FRAME_RATE, camera)
        with _timing(spent["detect"]):
            detections = detector.detect(frame)
        with _timing(spent["recover"]):
            hands = recoverer.recover(frame, detections)
        with _timing(spent["place"]):
            placements = placer.place(frame, hands)
        with _timing(spent["track"]):
            placed = [hand for hand in placements if isinstance(hand, PlacedHand)]
            tracker.track(frame, placed)
    settled = int(FRAME_RATE)
    return {stage: 1e3 * float(np.mean(times[settled:])) for stage, times in spent.items()}


@contextmanager
def _timing(times: list[float]) -> Iterator[None]:
    begin = time.process_time()
    yield
    times.append(time.process_time() - begin)
