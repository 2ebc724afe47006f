"""HaMeR's network of full size with the seeded weights of `golden` instead of trained ones."""

from __future__ import annotations

import torch

from bench.golden import state
from hamer_ros.hamer.network import HamerConfig, HamerNetwork


def seeded_network() -> HamerNetwork:
    """Return the network on the CPU, float32: 2.7 GB, made in ten seconds."""
    with torch.device("meta"):
        network = HamerNetwork(HamerConfig())
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    weights = {key: torch.from_numpy(array) for key, array in state(shapes)}
    network.load_state_dict(weights, assign=True)
    return network.requires_grad_(False).eval()
