"""A forearm for the hand: the models that look for hands seldom believe in one without an arm."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from hamer_ros.hand_model.topology import WRIST_RING, mirrored_faces
from hamer_ros.hands import Handedness
from hamer_ros.rendering.shading import Mesh

_SECTIONS = ((0.08, 1.12), (0.20, 1.50), (0.30, 1.60))
"""Distance from the hand's cut in metres and width relative to it, from wrist to elbow."""


def with_forearm(
    vertices: np.ndarray, faces: np.ndarray, handedness: Handedness, colors: np.ndarray
) -> Mesh:
    """The mesh of a hand that goes on straight through its open wrist into a forearm.

    vertices: (778, 3) metres in the camera frame, already mirrored for a left hand.
    faces: (1538, 3) of the right-hand model.
    colors: (778, 3), red, green and blue from 0 to 1.
    """
    ids = np.array(WRIST_RING)
    ring = vertices[ids]
    centre = ring.mean(axis=0)
    # The ring runs counter-clockwise seen from the elbow on a right hand (Newell's normal).
    outward = np.cross(ring - centre, np.roll(ring, -1, axis=0) - centre).sum(axis=0)
    outward *= (-1.0 if handedness is Handedness.LEFT else 1.0) / np.linalg.norm(outward)

    sections = [centre + width * (ring - centre) + far * outward for far, width in _SECTIONS]
    rows = [
        ids,
        *(len(vertices) + len(ids) * k + np.arange(len(ids)) for k in range(len(sections))),
    ]
    faces = np.concatenate([faces, *(_band(a, b) for a, b in pairwise(rows))])
    return Mesh(
        vertices=np.concatenate([vertices, *sections]),
        faces=mirrored_faces(faces) if handedness is Handedness.LEFT else faces,
        colors=np.concatenate([colors, *[colors[ids]] * len(sections)]),
    )


def _band(near: np.ndarray, far: np.ndarray) -> np.ndarray:
    """The triangles (2 N, 3) between two closed rows of N vertex ids."""
    next_near, next_far = np.roll(near, -1), np.roll(far, -1)
    first = np.stack([near, next_near, next_far], axis=1)
    return np.concatenate([first, np.stack([near, next_far, far], axis=1)])
