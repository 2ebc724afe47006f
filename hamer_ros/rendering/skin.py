"""A plausible colour for every vertex of the hand."""

from __future__ import annotations

import numpy as np

from hamer_ros.hand_model.model import HandModel
from hamer_ros.hand_model.skinning import forward
from hamer_ros.hand_model.topology import JOINT_NAMES
from hamer_ros.rendering.shading import vertex_normals

_BACK = np.array([0.80, 0.60, 0.49])
_PALM = np.array([0.91, 0.69, 0.59])
_FLUSH = np.array([0.90, 0.52, 0.45])
"""Red, green and blue of the back, of the palm, and of fingertips and knuckles at full flush."""

_FLUSHES = {"tip": (0.50, 0.012), "intermediate": (0.30, 0.009), "proximal": (0.22, 0.011)}
"""Strength and reach in metres of the flush around the joints of each kind."""


def skin_colors(model: HandModel) -> np.ndarray:
    """The colours (778, 3) of a hand: a lighter palm, flushed fingertips and knuckles.

    They are red, green and blue from 0 to 1.
    """
    rest = forward(model, np.tile(np.eye(3), (len(model.parents), 1, 1)), np.zeros(10))
    palmar = 0.5 - 0.5 * vertex_normals(rest.vertices, model.faces)[:, 1:2]
    colors = _BACK + np.clip(1.6 * palmar - 0.3, 0.0, 1.0) * (_PALM - _BACK)
    for name, joint in zip(JOINT_NAMES, rest.joints, strict=True):
        kind = name.split("_")[-1]
        if kind in _FLUSHES:
            strength, reach = _FLUSHES[kind]
            squared = ((rest.vertices - joint) ** 2).sum(axis=1, keepdims=True)
            colors = colors + strength * np.exp(-squared / reach**2) * (_FLUSH - colors)
    return colors
