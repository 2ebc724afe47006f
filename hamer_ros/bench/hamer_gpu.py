"""HaMeR on an NVIDIA GPU, beside what the chip could do at most."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from hamer_ros.bench.golden import picture
from hamer_ros.bench.records import Record
from hamer_ros.camera import CameraModel
from hamer_ros.hamer.cuda_backend import BATCHES
from hamer_ros.hamer.network import HamerNetwork
from hamer_ros.hamer.output import Backend, HamerOutput
from hamer_ros.hamer.recoverer import HamerRecoverer
from hamer_ros.hamer.torch_backend import DTYPES, put_on
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hands import Detection, Frame, Side
from hamer_ros.nets.device import Device
from hamer_ros.pipeline import HandPipeline

FLOPS = 251.1e9
"""Operations for one crop, two for a multiply-add."""
WEIGHTS = 631e6
"""Numbers of the backbone, all of which every run must read."""

PEAKS = {
    "H200": 989,
    "H100 PCIe": 756,
    "H100": 989,
    "A100": 312,
    "L40S": 362,
    "L40": 181,
    "L4": 121,
    "A10": 125,
    "T4": 65,
    "V100": 125,
    "RTX 5090": 210,
    "RTX 4090": 165,
    "RTX 3090": 71,
    "Orin": 43,
}
"""What a chip's name contains -> dense TFLOP/s in 16 bits by its data sheet."""

RUNS = 200
WARM_UP = 20
WIDTH, HEIGHT = 1280, 720
BOXES = ((([200, 100, 330, 260]), Side.LEFT), (([760, 300, 900, 470]), Side.RIGHT))


def measure_gpu(network: HamerNetwork, precision: str, device: Device) -> list[Record]:
    """Time of the network by batch size, copies included, and of a whole frame with two hands.

    The reference of a batch is the larger of two times, measured in the same run: its operations at
    the rate of a large matrix product, and its weights at the speed of a large copy.
    """
    backend = put_on(network, precision, device)
    print(backend.description, flush=True)
    where = torch.device("cuda", device.index)
    rate, bandwidth = _matmul_rate(where, precision), _bandwidth(where)
    name = torch.cuda.get_device_name(where)
    sheet = next((peak for part, peak in PEAKS.items() if part in name), None)
    print(
        f"{name}: {rate / 1e12:.0f} TFLOP/s in a matrix product"
        + (f" of {sheet} by its data sheet" if sheet else "")
        + f", {bandwidth / 1e9:.0f} GB/s in a copy"
    )
    bytes_read = WEIGHTS * torch.finfo(DTYPES[precision]).bits / 8
    rng = np.random.default_rng(0)
    records = []
    for size in sorted(BATCHES):
        crops = rng.normal(size=(size, 3, 256, 256)).astype(np.float32)
        p50 = float(np.median(_times(partial(backend, crops))))
        floor = max(size * FLOPS / rate, bytes_read / bandwidth)
        reached = size * FLOPS / p50
        share = f", {reached / (1e12 * sheet):.0%} of the data sheet" if sheet else ""
        print(f"batch {size}: {1e3 * p50:.2f} ms, {reached / rate:.0%} of the measured peak{share}")
        told = "what the chip takes at its measured peaks"
        records.append(Record(f"hamer/gpu_p50_ms/b{size}", 1e3 * p50, "ms", told, 1e3 * floor))
    return [*records, _frame(backend)]


class _GivenBoxes:
    """A detector that always finds the same two hands."""

    def detect(self, _: Frame) -> list[Detection]:
        return [
            Detection(np.array(box, float), side, 0.9, 0.9, region)
            for region, (box, side) in enumerate(BOXES)
        ]

    def reset(self) -> None:
        pass


class _GivenScale:
    """The backend, but every hand at half a metre: seeded weights put it anywhere."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.description = backend.description

    def __call__(self, crops: np.ndarray) -> HamerOutput:
        found = self._backend(crops)
        camera = np.tile([5.0, 0.0, 0.0], (len(crops), 1))
        return HamerOutput(found.global_orient, found.hand_pose, found.betas, camera)


def _frame(backend: Backend) -> Record:
    """From a 720p image with two boxes to two placed meshes in the camera frame."""
    camera = CameraModel.from_fov(WIDTH, HEIGHT, horizontal_fov=1.2)
    recoverer = HamerRecoverer(_GivenScale(backend), HandModel.default())
    pipeline = HandPipeline(camera, _GivenBoxes(), recoverer)
    rgb, stamp, hands = picture(width=WIDTH, height=HEIGHT), 0.0, 0

    def run() -> None:
        nonlocal stamp, hands
        stamp += 1 / 30
        hands = len([hand.placed.vertices for hand in pipeline.process(rgb, stamp).hands])

    p99 = float(np.percentile(_times(run), 99))
    print(f"frame: {hands} hands placed")
    return Record("hamer/gpu_frame_p99_ms", 1e3 * p99, "ms", "the time between images at 30 Hz",
                  1e3 / 30)  # fmt: skip


def _times(run: Callable[[], object]) -> list[float]:
    """Seconds of every run, which ends when its result is on the CPU."""
    spent = []
    for _ in range(WARM_UP + RUNS):
        begin = time.perf_counter()
        run()
        spent.append(time.perf_counter() - begin)
    return spent[WARM_UP:]


def _matmul_rate(device: torch.device, precision: str) -> float:
    """Operations per second of a large matrix product of random numbers."""
    n = 8192
    a, b = (torch.randn(n, n, device=device, dtype=DTYPES[precision]) for _ in range(2))
    return 2 * n**3 / _event_seconds(lambda: a @ b)


def _bandwidth(device: torch.device) -> float:
    """Bytes per second, read and written, of a copy of 1 GiB."""
    source = torch.randn(1 << 28, device=device)
    target = torch.empty_like(source)
    return 2 * source.nbytes / _event_seconds(lambda: target.copy_(source))


def _event_seconds(run: Callable[[], object], repeats: int = 20) -> float:
    """Median by the GPU's own clock."""
    spent = []
    for _ in range(5):
        run()
    for _ in range(repeats):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        run()
        end.record()
        end.synchronize()
        spent.append(1e-3 * begin.elapsed_time(end))
    return float(np.median(spent))
