"""Latency of whole images through HaMeR: the pipeline alone, and the node around it."""

from __future__ import annotations

import time

import numpy as np

from bench.golden import picture
from bench.records import Record
from hamer_ros.camera.model import CameraModel
from hamer_ros.hamer.backend import Backend, Check, HamerOutput, no_check
from hamer_ros.hamer.hamer_estimator import HamerEstimator
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hands import Detection, Frame, Handedness
from hamer_ros.pipeline import HandPipeline

WIDTH, HEIGHT = 1280, 720
BOXES = (([200, 100, 330, 260], Handedness.LEFT), ([760, 300, 900, 470], Handedness.RIGHT))
SECONDS = 6.0
PERIOD = 1e3 / 30
"""Milliseconds between images at 30 Hz."""


class ExternalBoxes:
    """A detector that always finds the same two hands."""

    def detect(self, _: Frame) -> list[Detection]:
        """Return two hands."""
        return [
            Detection(np.array(box, float), handedness, 0.9, 0.9, detection_id)
            for detection_id, (box, handedness) in enumerate(BOXES)
        ]

    def reset(self) -> None:
        """Do nothing: there is no state."""


class ExternalScale:
    """A backend that puts every hand at half a metre: seeded weights put it anywhere."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.description = backend.description

    def __call__(self, crops: np.ndarray, check: Check = no_check) -> HamerOutput:
        """Return the backend's output with a fixed camera."""
        found = self._backend(crops, check)
        camera = np.tile([5.0, 0.0, 0.0], (len(crops), 1))
        return HamerOutput(found.global_orient, found.hand_pose, found.betas, camera)


def measure_frame(backend: Backend, device: str) -> list[Record]:
    """Measure from a 720p image with two boxes to two placed meshes, without and with the node.

    device: prefix of the records' names, ``cpu`` or ``gpu``.
    """
    camera = CameraModel.from_fov(WIDTH, HEIGHT, horizontal_fov=1.2)
    estimator = HamerEstimator(ExternalScale(backend), HandModel.default())
    pipeline = HandPipeline(ExternalBoxes(), estimator)
    rgb = picture(width=WIDTH, height=HEIGHT)
    pipeline.process(Frame(rgb, 0.0, camera))
    times, placed, end = [], 0, time.monotonic() + SECONDS
    while time.monotonic() < end:
        begin = time.perf_counter()
        hands = pipeline.process(Frame(rgb, 1.0 + begin, camera)).hands
        placed = len([hand.placed.vertices for hand in hands])
        times.append(1e3 * (time.perf_counter() - begin))
    print(f"frame: {placed} hands placed, {len(times)} times", flush=True)
    p50, p99 = np.percentile(times, [50, 99])
    reference = "the time between images at 30 Hz"
    name = f"hamer/{device}_frame"
    records = [
        Record(f"{name}_p50_ms", float(p50), "ms", reference, PERIOD),
        Record(f"{name}_p99_ms", float(p99), "ms", reference, PERIOD),
    ]
    try:
        from bench.node import latency_of_node  # noqa: PLC0415
    except ImportError as error:  # no ROS, or a source tree without the built messages
        print(f"the node is left out: {error}")
        return records
    latency = latency_of_node(ExternalBoxes(), estimator, SECONDS)
    reference = "the pipeline alone on such an image"
    return [*records, Record(f"hamer/{device}_node_p50_ms", latency, "ms", reference, float(p50))]
