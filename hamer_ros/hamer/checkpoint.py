"""Build HaMeR's network from its checkpoint."""

from __future__ import annotations

from os import PathLike

import torch

from hamer_ros.files.kinds import absolute_path
from hamer_ros.hamer.network import HamerConfig, HamerNetwork
from hamer_ros.networks.weights_file import fit, read_weights

NOT_NEEDED = ("discriminator.", "mano.", "initialized")
"""Beginnings of keys that the checkpoint may have beside those of the network: the training's
critic, and the hand model, which is read from MANO's own file."""


def load_network(path: str | PathLike[str], config: HamerConfig | None = None) -> HamerNetwork:
    """Build the network from the official .ckpt, or from .safetensors with the same keys.

    config: dimensions, for a network of another size than the official one.

    Returns the network on the CPU, float32, without gradients.

    Raises:
        MissingFileError: there is no such file, or not the package that reads .safetensors.
        ConfigurationError: the file may not be read.
        FileFormatError: a file of another kind, an incomplete one, one that asks for code to be
            run, or keys that are missing, unexpected, or of another shape or type.
    """
    path = absolute_path(path)
    weights = {
        key: value
        for key, value in read_weights(path).items()
        if not str(key).startswith(NOT_NEEDED)
    }
    with torch.device("meta"):
        network = HamerNetwork(HamerConfig() if config is None else config)
    fit(network, weights, path)
    return network
