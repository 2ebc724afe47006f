"""Read ViTPose's weights, strictly.

ViTPose+ is trained on six data sets at once: in every block, each has an expert of its own for the
last quarter of the features that the second layer of the MLP gives, and a head of its own.  What
HaMeR fetches, ``wholebody.pth``, is what ViTPose's ``tools/model_split.py`` cuts out of that: the
expert is joined to the layer, and what is left is a plain vision transformer.  The uncut file is
read, too, and cut in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from hamer_ros.detection.vitpose.network import VitPoseConfig, VitPoseNetwork
from hamer_ros.errors import FileFormatError
from hamer_ros.files.kinds import absolute_path
from hamer_ros.networks.weights_file import fit, read_weights

IN_DATA_FOLDER = Path("vitpose_ckpts", "vitpose+_huge", "wholebody.pth")
"""Path of the file below HaMeR's folder ``_DATA``, as HaMeR's own scripts put it there."""

WHOLE_BODY_EXPERT = 5
"""Index of COCO-WholeBody among the six data sets."""

WHOLE_BODY_HEAD = f"associate_keypoint_heads.{WHOLE_BODY_EXPERT - 1}."
"""Prefix of its head's keys; those of the first data set begin with ``keypoint_head.``."""


def load_network(path: str | PathLike[str], config: VitPoseConfig | None = None) -> VitPoseNetwork:
    """Build the network from ``wholebody.pth`` or from the uncut checkpoint of ViTPose+.

    path: the file, or HaMeR's folder ``_DATA``.
    config: dimensions, for a network of another size than the official one.

    Returns the network on the CPU, float32, without gradients.

    Raises:
        MissingFileError: there is no such file.
        ConfigurationError: the file may not be read.
        FileFormatError: a file of another kind, an incomplete one, one that asks for code to be
            run, or keys that are missing, unexpected, or of another shape or type.
    """
    path = absolute_path(path)
    if path.is_dir():
        path = path / IN_DATA_FOLDER
    weights = read_weights(path)
    if any(".mlp.experts." in key for key in weights):
        weights = whole_body_part(weights, path)
    with torch.device("meta"):
        network = VitPoseNetwork(VitPoseConfig() if config is None else config)
    fit(network, weights, path)
    return network


def whole_body_part(weights: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The part of the uncut checkpoint for whole bodies, as ``model_split.py`` cuts it out.

    path: where the weights come from, for the message.

    Raises:
        FileFormatError: an expert is missing.
    """
    cut: dict[str, Any] = {}
    for key, value in weights.items():
        if key.startswith(WHOLE_BODY_HEAD):
            cut[key.replace(WHOLE_BODY_HEAD, "keypoint_head.", 1)] = value
        elif ".mlp.fc2." in key:
            expert = key.replace(".fc2.", f".experts.{WHOLE_BODY_EXPERT}.")
            if expert not in weights:
                raise FileFormatError(f"{path}: has experts, but no {expert}")
            cut[key] = torch.cat([value, weights[expert]])
        elif not key.startswith(("keypoint_head.", "associate_keypoint_heads.")) and (
            ".mlp.experts." not in key
        ):
            cut[key] = value
    return cut
