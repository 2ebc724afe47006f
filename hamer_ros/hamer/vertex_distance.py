"""The difference of two results of the network, as distances between vertices."""

from __future__ import annotations

import numpy as np

from hamer_ros.hamer.backend import HamerOutput
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hand_model.skinning import forward


def vertex_distances(a: HamerOutput, b: HamerOutput, model: HandModel) -> np.ndarray:
    """The distances (B, 778), metres, between vertices of the same hands; cameras do not count."""
    return np.linalg.norm(_vertices(a, model) - _vertices(b, model), axis=-1)


def _vertices(output: HamerOutput, model: HandModel) -> np.ndarray:
    rotations = np.concatenate([output.global_orient[:, None], output.hand_pose], axis=1)
    hands = zip(rotations.astype(float), output.betas.astype(float), strict=True)
    return np.stack([forward(model, turns, betas).vertices for turns, betas in hands])
