"""HaMeR's network of full size with the weights of `golden`, for want of the trained ones."""

from __future__ import annotations

import torch

from hamer_ros.bench.golden import state
from hamer_ros.hamer.network import HamerConfig, HamerNetwork


def seeded_network() -> HamerNetwork:
    """The network on the CPU, float32: 2.7 GB, made in ten seconds."""
    with torch.device("meta"):
        network = HamerNetwork(HamerConfig())
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    weights = {key: torch.from_numpy(array) for key, array in state(shapes)}
    network.load_state_dict(weights, assign=True)
    return network.requires_grad_(False).eval()
