"""Whole images through HaMeR: the pipeline alone, and the node around it."""

from __future__ import annotations

import time

import numpy as np

from hamer_ros.bench.golden import picture
from hamer_ros.bench.records import Record
from hamer_ros.camera import CameraModel
from hamer_ros.hamer.output import Backend, Check, HamerOutput, no_check
from hamer_ros.hamer.recoverer import HamerRecoverer
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hands import Detection, Frame, Side
from hamer_ros.pipeline import HandPipeline

WIDTH, HEIGHT = 1280, 720
BOXES = (([200, 100, 330, 260], Side.LEFT), ([760, 300, 900, 470], Side.RIGHT))
SECONDS = 6.0
PERIOD = 1e3 / 30
"""Milliseconds between images at 30 Hz."""


class GivenBoxes:
    """A detector that always finds the same two hands."""

    def detect(self, _: Frame) -> list[Detection]:
        """Two hands."""
        return [
            Detection(np.array(box, float), side, 0.9, 0.9, region)
            for region, (box, side) in enumerate(BOXES)
        ]

    def reset(self) -> None:
        """Nothing to forget."""


class GivenScale:
    """The backend, but every hand at half a metre: seeded weights put it anywhere."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.description = backend.description

    def __call__(self, crops: np.ndarray, check: Check = no_check) -> HamerOutput:
        """As the backend's, but for the camera."""
        found = self._backend(crops, check)
        camera = np.tile([5.0, 0.0, 0.0], (len(crops), 1))
        return HamerOutput(found.global_orient, found.hand_pose, found.betas, camera)


def measure_frame(backend: Backend, device: str) -> list[Record]:
    """From a 720p image with two boxes to two placed meshes, without and with the node.

    device: what the records are named by, ``cpu`` or ``gpu``.
    """
    camera = CameraModel.from_fov(WIDTH, HEIGHT, horizontal_fov=1.2)
    recoverer = HamerRecoverer(GivenScale(backend), HandModel.default())
    pipeline = HandPipeline(camera, GivenBoxes(), recoverer)
    rgb = picture(width=WIDTH, height=HEIGHT)
    pipeline.process(rgb, 0.0)
    times, placed, end = [], 0, time.monotonic() + SECONDS
    while time.monotonic() < end:
        begin = time.perf_counter()
        hands = pipeline.process(rgb, 1.0 + begin).hands
        placed = len([hand.placed.vertices for hand in hands])
        times.append(1e3 * (time.perf_counter() - begin))
    print(f"frame: {placed} hands placed, {len(times)} times", flush=True)
    p50, p99 = np.percentile(times, [50, 99])
    told = "the time between images at 30 Hz"
    name = f"hamer/{device}_frame"
    records = [
        Record(f"{name}_p50_ms", float(p50), "ms", told, PERIOD),
        Record(f"{name}_p99_ms", float(p99), "ms", told, PERIOD),
    ]
    try:
        from hamer_ros.bench.node import latency_of_node  # noqa: PLC0415
    except ImportError as error:  # no ROS, or a source tree without the built messages
        print(f"the node is left out: {error}")
        return records
    latency = latency_of_node(GivenBoxes(), recoverer, SECONDS)
    told = "the pipeline alone on such an image"
    return [*records, Record(f"hamer/{device}_node_p50_ms", latency, "ms", told, float(p50))]
