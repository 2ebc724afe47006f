"""Construction of the hand model: mesh, skinning weights, shapes, and MANO's fields."""

from __future__ import annotations

import numpy as np
from skimage.measure import marching_cubes

from hamer_ros.hand_model.topology import (
    FINGERTIP_VERTICES,
    N_POSE_FEATURES,
    N_SKELETON,
    N_VERTICES,
    PARENTS,
    WRIST_RING,
)
from tools.hand_model_generation.anatomy import WRIST_CUT, bone_ends, digit_points, skeleton
from tools.hand_model_generation.bone_heat import bone_distance, skinning_weights
from tools.hand_model_generation.decimate import boundary_loop, decimate, relax
from tools.hand_model_generation.round_cones import hand_distance, projected
from tools.hand_model_generation.shape_directions import Rig, shape_directions

MODEL_NAME = "hamer_ros_hand_v1"

_GRID = 0.0025
"""Metres between the samples of the implicit function."""

_LOW = np.array([-0.215, -0.055, -0.070])
_HIGH = np.array([WRIST_CUT, 0.045, 0.110])

_FINGERTIP = 0.010
"""Metres from the tip within which the triangles are finer."""

_BULGE = 0.00025
"""Metres by which vertices stand out of the surface, so that the chords keep the volume."""

_REGRESSOR_SUPPORT = 40
"""Number of vertices that a row of the joint regressor may use."""


def build() -> dict[str, np.ndarray]:
    """Return all fields of the model file; float32 but for the indices."""
    fine_vertices, fine_faces = sculpt()
    fine_weights = skinning_weights(fine_vertices, fine_faces)
    vertices, faces = decimate(
        fine_vertices, fine_faces, _edge_sizes(fine_vertices), N_VERTICES, len(WRIST_RING)
    )
    vertices, faces = _regular(vertices, faces)
    vertices, faces = _renumbered(vertices, faces)
    # Everything is derived from what the file holds, so that its rounding costs nothing.
    vertices = vertices.astype(np.float32).astype(np.float64)
    weights = _resampled(fine_vertices, fine_weights, vertices)
    joints = skeleton()
    rig = Rig(vertices, weights, joints, bone_ends())
    return _fields(rig, faces, shape_directions(rig), joint_regressor(rig))


def sculpt() -> tuple[np.ndarray, np.ndarray]:
    """Triangulate the implicit hand: vertices (V, 3) metres, faces (F, 3), open at the wrist.

    The grid ends at the plane of the cut, which leaves the boundary in that plane.
    """
    shape = np.ceil((_HIGH - _LOW) / _GRID).astype(int) + 1
    axes = [_HIGH[k] - _GRID * np.arange(shape[k])[::-1] for k in range(3)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    distance = hand_distance(grid.reshape(-1, 3)).reshape(grid.shape[:3])
    vertices, faces, _, _ = marching_cubes(distance, 0.0)
    vertices = vertices.astype(np.float64) * _GRID + grid[0, 0, 0]
    corners = vertices[faces]
    volume = np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))
    return vertices, (faces if volume > 0.0 else faces[:, ::-1]).astype(np.int64)


def joint_regressor(rig: Rig) -> np.ndarray:
    """Return the regressor (16, 778), whose rows sum to 1 and give the template's joints exactly.

    A row starts as a soft choice p of vertices near the joint where it and its parent share the
    skin, and is corrected by the least weighted change: x = p + D A^T (A D A^T)^-1 (t - A p) with
    D = diag(p), A the vertices in homogeneous coordinates and t the joint.
    """
    regressor = np.zeros((N_SKELETON, len(rig.vertices)))
    for joint, parent in enumerate(PARENTS):
        shared = rig.weights[:, joint] * (rig.weights[:, parent] if parent >= 0 else 1.0)
        distance = np.linalg.norm(rig.vertices - rig.joints[joint], axis=1)
        reach = 0.008 + 0.35 * np.sort(distance)[_REGRESSOR_SUPPORT]
        prior = np.exp(-((distance / reach) ** 2)) * (1e-3 + shared)
        support = np.argsort(-prior)[:_REGRESSOR_SUPPORT]
        p = prior[support] / prior[support].sum()
        A = np.vstack([rig.vertices[support].T, np.ones(_REGRESSOR_SUPPORT)])
        missing = np.append(rig.joints[joint], 1.0) - A @ p
        regressor[joint, support] = p + p * (A.T @ np.linalg.solve((A * p) @ A.T, missing))
    return regressor


def _edge_sizes(points: np.ndarray) -> np.ndarray:
    """Return the relative length that edges should have: less at thin parts and at fingertips."""
    tips = np.array([digit[3] for digit in digit_points().values()])
    to_tip = np.linalg.norm(points[:, None] - tips, axis=2).min(axis=1)
    roundness = np.where(to_tip < _FINGERTIP, 0.8, 1.0)
    return roundness * np.sqrt(np.clip(bone_distance(points), 0.006, 0.020))


def _regular(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a mesh with even triangles and one vertex pinned at every fingertip."""

    def on_surface(points: np.ndarray) -> np.ndarray:
        return projected(points, level=_BULGE)

    vertices, faces = relax(vertices, faces, np.array([], dtype=int), on_surface, iterations=15)
    tips = projected(np.array([points[3] for points in digit_points().values()]))
    pinned = np.array([np.argmin(np.linalg.norm(vertices - tip, axis=1)) for tip in tips])
    vertices[pinned] = tips
    return relax(vertices, faces, pinned, on_surface, iterations=45)


def _renumbered(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mesh with MANO's vertex ids at the fingertips and the wrist's ring."""
    # The closing faces run along the ring, so the mesh's own boundary edges run against it.
    ring = boundary_loop(faces)[::-1]
    first = int(np.argmax(vertices[ring, 2]))
    taken = dict(zip(WRIST_RING, ring[first:] + ring[:first], strict=True))
    for name, points in digit_points().items():
        distance = np.linalg.norm(vertices - points[3], axis=1)
        taken[FINGERTIP_VERTICES[name]] = int(np.argmin(distance))
    others = iter(sorted(set(range(N_VERTICES)) - set(taken.values())))
    old = np.array([taken[new] if new in taken else next(others) for new in range(N_VERTICES)])
    return vertices[old], np.argsort(old)[faces]


def _resampled(points: np.ndarray, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return the inverse-distance means of the values (N, K) at the three nearest points."""
    squared = ((at[:, None] - points) ** 2).sum(axis=-1)
    nearest = np.argsort(squared, axis=1)[:, :3]
    share = 1.0 / (np.take_along_axis(squared, nearest, axis=1) + 1e-8)
    out = (values[nearest] * share[..., None]).sum(axis=1)
    return out / out.sum(axis=1, keepdims=True)


def _fields(
    rig: Rig, faces: np.ndarray, directions: np.ndarray, regressor: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the arrays under the names of MANO's file; its basis of hand poses is the identity."""
    n_pose = 3 * (N_SKELETON - 1)
    parents = np.array(PARENTS, dtype=np.int64)
    floats = {
        "v_template": rig.vertices,
        "shapedirs": directions,
        "posedirs": np.zeros((N_VERTICES, 3, N_POSE_FEATURES)),
        "J_regressor": regressor,
        "weights": rig.weights,
        "J": rig.joints,
        "hands_components": np.eye(n_pose),
        "hands_mean": np.zeros(n_pose),
        "hands_coeffs": np.zeros((1, n_pose)),
    }
    fields = {name: array.astype(np.float32) for name, array in floats.items()}
    fields["f"] = faces.astype(np.uint32)
    fields["kintree_table"] = np.stack([parents, np.arange(N_SKELETON)]).astype(np.uint32)
    fields["bs_type"] = np.array("lrotmin")
    fields["bs_style"] = np.array("lbs")
    fields["name"] = np.array(MODEL_NAME)
    return fields
