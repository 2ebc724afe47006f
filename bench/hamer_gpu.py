"""Times of HaMeR's network on an NVIDIA GPU, against the limits of the chip."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from bench.records import Record
from hamer_ros.hamer.backend import Backend
from hamer_ros.hamer.cuda_backend import BATCHES
from hamer_ros.hamer.torch_backend import DTYPES
from hamer_ros.inference.device import Device

FLOPS = 251.1e9
"""Operations for one crop, two for a multiply-add."""
WEIGHTS = 631e6
"""Number of the backbone's weights, all of which every run must read."""

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
"""Part of a chip's name -> dense TFLOP/s in 16 bits by its data sheet."""

RUNS = 200
WARM_UP = 20


def measure_gpu(backend: Backend, precision: str, device: Device) -> list[Record]:
    """Return the time of the network by batch size, copies included.

    The reference of a batch is the larger of two times, measured in the same run: its operations at
    the rate of a large matrix product, and its weights at the speed of a large copy.
    """
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
        reference = "what the chip takes at its measured peaks"
        records.append(Record(f"hamer/gpu_p50_ms/b{size}", 1e3 * p50, "ms", reference, 1e3 * floor))
    return records


def _times(run: Callable[[], object]) -> list[float]:
    """Return the seconds of every run, which ends when its result is on the CPU."""
    seconds = []
    for _ in range(WARM_UP + RUNS):
        begin = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begin)
    return seconds[WARM_UP:]


def _matmul_rate(device: torch.device, precision: str) -> float:
    """Return the operations per second of a large matrix product of random numbers."""
    n = 8192
    a, b = (torch.randn(n, n, device=device, dtype=DTYPES[precision]) for _ in range(2))
    return 2 * n**3 / _event_seconds(lambda: a @ b)


def _bandwidth(device: torch.device) -> float:
    """Return the bytes per second, read and written, of a copy of 1 GiB."""
    source = torch.randn(1 << 28, device=device)
    target = torch.empty_like(source)
    return 2 * source.nbytes / _event_seconds(lambda: target.copy_(source))


def _event_seconds(run: Callable[[], object], repeats: int = 20) -> float:
    """Return the median seconds by the GPU's own clock."""
    seconds = []
    for _ in range(5):
        run()
    for _ in range(repeats):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        run()
        end.record()
        end.synchronize()
        seconds.append(1e-3 * begin.elapsed_time(end))
    return float(np.median(seconds))
