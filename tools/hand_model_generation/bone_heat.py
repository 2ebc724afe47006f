"""Skinning weights as the equilibrium of heat that flows from the bones over the surface.

After Baran and Popović, "Automatic rigging and animation of 3D characters" (Pinocchio, 2007): with
the cotangent Laplacian L and the heat H that a vertex takes from its nearest bone, the weights of a
bone are w = (L + H)^-1 H p, p being 1 at the vertices nearest to it and 0 elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from hamer_ros.hand_model.topology import N_SKELETON, SKELETON_CHAINS
from tools.hand_model_generation.anatomy import FINGERS, FOREARM_END, bone_ends, skeleton

HEAT = 1.0
"""Pinocchio's constant c in H = c / distance^2: larger makes the borders between bones sharper."""

_LEAST_WEIGHT = 0.02
"""Weights below this are dropped, so that a finger does not follow its neighbours."""


@dataclass(frozen=True)
class Bone:
    """A segment of radius ``radius`` that carries the joint's motion."""

    joint: int
    start: np.ndarray
    end: np.ndarray
    radius: float


def bones() -> list[Bone]:
    """Return the segments of the hand; the palm, moved by the wrist, has five of them."""
    joints, ends = skeleton(), bone_ends()
    segments = [Bone(0, np.array([FOREARM_END, 0.0, 0.0]), np.zeros(3), 0.022)]
    for finger in FINGERS.values():
        start = np.array(finger.metacarpal_root)
        segments.append(Bone(0, start, np.add(finger.root, [0.016, 0.0, 0.0]), 0.013))
    for name, chain in SKELETON_CHAINS.items():
        for i, joint in enumerate(chain):
            if name == "thumb":
                radius = 0.0125 if i == 0 else 0.0108
                # The thumb's root lies deep in the palm: let its bone begin a little later.
                start = joints[joint] + (0.15 if i == 0 else 0.0) * (ends[joint] - joints[joint])
            else:
                radius = FINGERS[name].radius * (1.05 if i == 0 else 0.90)
                start = joints[joint]
            segments.append(Bone(joint, start, ends[joint], radius))
    return segments


def skinning_weights(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Return the weights (V, 16) of a closed mesh, rows summing to 1.

    vertices: (V, 3) metres.
    faces: (F, 3).
    """
    segments = bones()
    distances = np.stack([_segment_distance(vertices, bone) for bone in segments], axis=1)
    radii = np.array([bone.radius for bone in segments])
    # Nearest in units of the bone's own thickness, else thick limbs would lose to thin neighbours.
    nearest = np.argmin(distances / radii, axis=1)
    seed = np.zeros((len(vertices), N_SKELETON))
    seed[np.arange(len(vertices)), [segments[i].joint for i in nearest]] = 1.0

    heat = HEAT * vertex_areas(vertices, faces) / distances.min(axis=1) ** 2
    system = cotangent_laplacian(vertices, faces) + scipy.sparse.diags(heat)
    weights = scipy.sparse.linalg.splu(system.tocsc()).solve(heat[:, None] * seed)
    weights = np.where(weights < _LEAST_WEIGHT, 0.0, weights)
    return weights / weights.sum(axis=1, keepdims=True)


def bone_distance(points: np.ndarray) -> np.ndarray:
    """Return the metres (N,) from points (N, 3) to the nearest bone: the hand's thickness there."""
    return np.min([_segment_distance(points, bone) for bone in bones()], axis=0)


def cotangent_laplacian(vertices: np.ndarray, faces: np.ndarray) -> scipy.sparse.csr_matrix:
    """Return the Laplacian (V, V), positive semi-definite.

    Its entries are half the cotangents of the angles opposite to each edge.
    """
    n = len(vertices)
    rows, columns, values = [], [], []
    for corner in range(3):
        i, j, opposite = (faces[:, (corner + k) % 3] for k in range(3))
        a, b = vertices[i] - vertices[opposite], vertices[j] - vertices[opposite]
        sine = np.maximum(np.linalg.norm(np.cross(a, b), axis=1), 1e-12)
        # Bounded: slivers would make the system indefinite.
        half_cotangent = 0.5 * np.clip((a * b).sum(axis=1) / sine, 0.02, 20.0)
        rows += [i, j]
        columns += [j, i]
        values += [half_cotangent, half_cotangent]
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    adjacency = scipy.sparse.csr_matrix(entries, (n, n))
    return scipy.sparse.diags(np.asarray(adjacency.sum(axis=1)).ravel()) - adjacency


def vertex_areas(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Return (V,) a third of the areas of the faces around each vertex."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2.0
    return np.bincount(faces.T.ravel(), np.tile(area / 3.0, 3), len(vertices))


def _segment_distance(points: np.ndarray, bone: Bone) -> np.ndarray:
    axis = bone.end - bone.start
    along = np.clip((points - bone.start) @ axis / (axis @ axis), 0.0, 1.0)
    distance = np.linalg.norm(points - bone.start - along[:, None] * axis, axis=1)
    return np.maximum(distance, 1e-4)
