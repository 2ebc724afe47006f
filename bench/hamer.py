"""Area ``hamer``: HaMeR's crops and network; on a CPU, or on a GPU with ``--device cuda``.

The network has its full size and seeded weights: no figure here depends on the trained ones.
Needs torch, numpy and OpenCV, and no ROS.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch

from bench.golden import MEAN, STD, mano_fields, picture, recorded
from bench.hamer_frame import measure_frame
from bench.hamer_gpu import measure_gpu
from bench.hamer_load import measure_load
from bench.official_crops import official_crops
from bench.records import Record
from bench.seeded_network import seeded_network
from hamer_ros.hamer.backend import Backend
from hamer_ros.hamer.crops import cut_crops, hand_square
from hamer_ros.hamer.torch_backend import choose_precision, put_on
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hand_model.skinning import forward
from hamer_ros.hands import Handedness
from hamer_ros.inference.device import Device

ROUNDS = 7
HANDS = {
    "right": ([200, 100, 330, 260], 1),
    "left": ([200, 100, 330, 260], 0),
    "left_large": ([300, 60, 820, 700], 0),
}
"""Case -> a hand's box in a 720p image, and 1 for a right hand."""

LIMITS_MM = {"fp32": (0.01, 0.01), "bf16": (0.5, 2.0), "fp16": (0.5, 2.0)}
"""Precision -> mean and largest distance of a vertex from the official one that it may have."""


def measure_hamer(out: Path, device: Device) -> list[Record]:
    """Return all figures of the device."""
    fast = choose_precision("auto", device)
    records = _crops()
    print("making seeded weights ...", flush=True)
    network = seeded_network()
    if device.kind == "cpu":
        backends = {
            name: put_on(network if name == "fp32" else copy.deepcopy(network), name, device)
            for name in {"fp32", fast}
        }
        for name, backend in backends.items():
            print(f"{name}: {backend.description}", flush=True)
            records += _parity(backend, name, "")
        records.append(_cpu_speedup(backends, fast))
        records += measure_frame(backends[fast], "cpu")
        del backends
        return records + measure_load(out, network)
    for name in ("fp32", fast):
        records += _parity(put_on(copy.deepcopy(network), name, device), name, "gpu_")
        torch.cuda.empty_cache()
    backend = put_on(network, fast, device)
    print(backend.description, flush=True)
    return [*records, *measure_gpu(backend, fast, device), *measure_frame(backend, "gpu")]


def _crops() -> list[Record]:
    """Measure the crops of two hands of a 720p image against HaMeR's own pre-processing."""
    rgb = picture()
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    height, width = rgb.shape[:2]
    records = []
    for case, (box, right) in HANDS.items():
        boxes, rights = np.array([box, box], float), np.array([right, right])
        handedness = Handedness.RIGHT if right else Handedness.LEFT

        def ours(boxes: np.ndarray = boxes, handedness: Handedness = handedness) -> object:
            return cut_crops([(rgb, hand_square(b, handedness, width, height)) for b in boxes])

        def peer(boxes: np.ndarray = boxes, rights: np.ndarray = rights) -> object:
            return official_crops(bgr, boxes, rights)

        try:
            times = _medians({"ours": ours, "peer": peer}, rounds=30)
        except ImportError as error:  # scikit-image, with which the peer filters large hands
            print(f"crop_speedup/{case} left out: {error}")
            continue
        reference = (
            f"HaMeR's own pre-processing, {1e3 * times['peer']:.1f} ms, OpenCV {cv2.__version__}"
        )
        speedup = times["peer"] / times["ours"]
        records.append(Record(f"hamer/crop_speedup/{case}", speedup, "x", reference, 1.0))
    return records


def _parity(backend: Backend, precision: str, where: str) -> list[Record]:
    """Return the distance of the vertices from the official ones, for the same weights."""
    expected = recorded("batch")
    model = HandModel.from_fields("made up", mano_fields(), "golden")
    output = backend((expected["pixels"] - MEAN[:, None, None]) / STD[:, None, None])
    rotations = np.concatenate([output.global_orient[:, None], output.hand_pose], axis=1)
    vertices = [
        forward(model, turns, betas).vertices
        for turns, betas in zip(rotations.astype(float), output.betas.astype(float), strict=True)
    ]
    distances = 1e3 * np.linalg.norm(np.stack(vertices) - expected["vertices"], axis=-1)
    plain = not where and precision == "fp32"
    name = "hamer/parity_vertices_mm" + ("" if plain else f"/{where}{precision}")
    mean_limit, limit = LIMITS_MM[precision]
    reference = "the limit; distance from the official implementation"
    return [
        Record(name, float(distances.mean()), "mm", reference, mean_limit),
        Record(f"{name}_max", float(distances.max()), "mm", reference, limit),
    ]


def _cpu_speedup(backends: Mapping[str, Backend], fast: str) -> Record:
    """Measure one crop in the precision chosen for this CPU against fp32, in turn."""
    crop = np.random.default_rng(0).normal(size=(1, 3, 256, 256)).astype(np.float32)
    work = {name: partial(backend, crop) for name, backend in backends.items()}
    times = _medians(work, ROUNDS)
    for name, seconds in times.items():
        print(f"{name}: {1e3 * seconds:.0f} ms per crop")
    reference = f"fp32, {times['fp32']:.2f} s; {fast} takes {times[fast]:.2f} s"
    return Record("hamer/cpu_speedup", times["fp32"] / times[fast], "x", reference, 1.0)


def _medians(work: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median seconds of each, run in turn so that other load slows all of them."""
    spent: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, run in work.items():
            begin = time.perf_counter()
            run()
            spent[name].append(time.perf_counter() - begin)
    return {name: float(np.median(times)) for name, times in spent.items()}
