"""HaMeR's network for crops of full size, but with next to no work in it."""

from __future__ import annotations

import numpy as np
import torch

from bench.golden import state
from hamer_ros.hamer.decoder import DecoderConfig
from hamer_ros.hamer.network import HamerConfig, HamerNetwork
from hamer_ros.networks.vision_transformer import ViTConfig

SMALL = HamerConfig(
    ViTConfig(patch=32, dim=32, depth=2, heads=4, mlp_dim=64),
    DecoderConfig(dim=24, depth=2, heads=2, head_dim=8, mlp_dim=16, context_dim=32),
)


def small_network() -> HamerNetwork:
    with torch.device("meta"):
        network = HamerNetwork(SMALL)
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    weights = {key: torch.from_numpy(array) for key, array in state(shapes)}
    network.load_state_dict(weights, assign=True)
    return network.requires_grad_(False)


def crops(n: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, 3, 256, 256)).astype(np.float32)
