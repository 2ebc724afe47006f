"""The weights, hand model and image behind the recorded outputs of HaMeR's official implementation.

Every array follows from a seed and a name: a PCG64 generator is seeded with the pair (seed, CRC-32
of the name).  They contain no trained weight and nothing of MANO; the hand model is made up as
well.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

DATA = Path(__file__).parent / "data" / "hamer_seed0.npz"

MEAN = np.float32(255) * np.array([0.485, 0.456, 0.406], np.float32)
STD = np.float32(255) * np.array([0.229, 0.224, 0.225], np.float32)

# Part of a weight matrix' name -> its standard deviation, times sqrt(inputs).
GAINS = {
    "attn.qkv": 1.5, "to_qkv": 1.5, "to_q.": 1.5, "to_kv": 1.5,
    "attn.proj": 0.5, "mlp.fc2": 0.5,
    "decpose": 0.25, "decshape": 0.2, "deccam": 0.1,
}  # fmt: skip


def generator(seed: int, name: str) -> np.random.Generator:
    """Return a generator of random numbers that follow from seed and name."""
    return np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode())]))


def recorded(part: str) -> dict[str, np.ndarray]:
    """Return the recording of a ``batch`` of two crops or of a ``frame`` with seven hands."""
    with np.load(DATA) as file:
        prefix = f"{part}/"
        return {key.removeprefix(prefix): file[key] for key in file.files if prefix in key}


def weight(key: str, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Return one learned array of the network, float32, by its name in the checkpoint."""
    if key.startswith("mano_head.init_"):
        return mean_parameters(seed)[key]
    array = generator(seed, key).standard_normal(shape, dtype=np.float32)
    offset, spread = np.float32(0), 1.0
    if key == "backbone.pos_embed":
        spread = 0.2
    elif "norm" in key:
        offset = np.float32(key.endswith("weight"))
        spread = 0.1 if offset else 0.05
    elif key.endswith("bias"):
        spread = 0.02
    elif key.endswith("weight"):
        gain = next((g for part, g in GAINS.items() if part in key), 1.0)
        spread = gain / np.sqrt(int(np.prod(shape[1:])))
    array *= np.float32(spread)
    array += offset
    return array


def mean_parameters(seed: int = 0) -> dict[str, np.ndarray]:
    """Return the mean hand that the head adds to, by its names in the checkpoint."""
    g = np.random.Generator(np.random.PCG64(2000 + seed))
    vectors = g.normal(0, 0.25, (16, 3))
    vectors[0] = np.pi - 0.05, 0.02, 0.03
    columns = []
    for vector in vectors:
        angle = np.linalg.norm(vector)
        x, y, z = vector / angle
        K = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        R = np.eye(3) + np.sin(angle) * K + (1 - np.cos(angle)) * K @ K
        columns += [R[:, 0], R[:, 1]]
    return {
        "mano_head.init_hand_pose": np.concatenate(columns).astype(np.float32)[None],
        "mano_head.init_betas": g.normal(0, 0.3, 10).astype(np.float32)[None],
        "mano_head.init_cam": np.array([[4, 0, 0]], np.float32),
    }


def picture(seed: int = 0, width: int = 1280, height: int = 720) -> np.ndarray:
    """Return the image (H, W, 3) uint8 RGB of the recorded crops: hills and noise."""
    g = generator(seed, "input.image")
    y, x = np.mgrid[:height, :width].astype(np.float32)
    bgr = []
    for _ in range(3):
        channel = np.full((height, width), g.uniform(60, 180), np.float32)
        for _ in range(25):
            cx, cy = np.float32(g.uniform(0, width)), np.float32(g.uniform(0, height))
            sigma, peak = g.uniform(8, 120), np.float32(g.uniform(-100, 100))
            squared = (x - cx) ** 2 + (y - cy) ** 2
            channel += peak * np.exp(-squared / np.float32(2 * sigma * sigma))
        channel += g.standard_normal((height, width), dtype=np.float32) * np.float32(10)
        bgr.append(np.clip(np.round(channel), 0, 255).astype(np.uint8))
    return np.ascontiguousarray(np.stack(bgr[::-1], axis=-1))


def state(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> Iterator[tuple[str, np.ndarray]]:
    """Yield every weight of a network with its name."""
    for key, shape in shapes.items():
        yield key, weight(key, shape, seed)


# The hand model


BASES = {1: (-0.088, 0.004, 0.024), 4: (-0.095, 0.008, 0.001), 7: (-0.068, -0.002, -0.042),
         10: (-0.081, 0.003, -0.022), 13: (-0.024, -0.015, 0.027)}  # fmt: skip
STEPS = {1: (-0.031, 0.001, 0.004), 4: (-0.031, 0.001, -0.001), 7: (-0.020, -0.001, -0.008),
         10: (-0.028, 0.001, -0.004), 13: (-0.026, -0.004, 0.020)}  # fmt: skip
TIPS = {744: 13, 320: 1, 443: 4, 554: 10, 671: 7}


def mano_fields(seed: int = 0) -> dict[str, np.ndarray]:
    """Return a cloud of points around a skeleton, by the names of MANO's fields, all dense."""
    g = np.random.Generator(np.random.PCG64(1000 + seed))
    joints = np.zeros((16, 3))
    bones = []
    for first, base in BASES.items():
        step = np.array(STEPS[first])
        bones.append((0, joints[0], np.array(base)))
        for k in range(3):
            joints[first + k] = np.array(base) + k * step
        ends = [joints[first + 1], joints[first + 2], joints[first + 2] + step * 0.9]
        bones += [(first + k, joints[first + k], end) for k, end in enumerate(ends)]
    template, owner = np.zeros((778, 3)), np.zeros(778, int)
    for i in range(778):
        owner[i], a, b = bones[i % len(bones)]
        t = g.random()
        template[i] = a + t * (b - a) + g.normal(0, 0.006, 3)
    for vertex, first in TIPS.items():
        template[vertex] = joints[first + 2] + np.array(STEPS[first]) * 0.9
        owner[vertex] = first + 2
    distance = np.linalg.norm(template[:, None] - joints, axis=-1)
    weights = np.exp(-((distance / 0.02) ** 2)) + 1e-6
    weights[np.arange(778), owner] += 1
    weights[weights < 0.02] = 0
    weights /= weights.sum(1, keepdims=True)
    regressor = np.zeros((16, 778))
    for j in range(16):
        share = g.random(24) + 0.1
        regressor[j, np.argsort(distance[:, j])[:24]] = share / share.sum()
    posedirs = g.normal(0, 2e-4, (778, 3, 135))
    shapedirs = g.normal(0, 1.5e-3, (778, 3, 10))
    ids = np.arange(1538)
    faces = np.stack([ids, ids + 1 + ids // 778, ids + 2 + 2 * (ids // 778)], axis=1) % 778
    parents = [2**32 - 1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14]
    return {
        "v_template": template,
        "shapedirs": shapedirs,
        "posedirs": posedirs,
        "J_regressor": regressor,
        "weights": weights,
        "f": faces.astype(np.uint32),
        "kintree_table": np.stack([np.array(parents), np.arange(16)]),
    }
