"""Linear blend skinning: from joint rotations and shape to the vertices of a hand.

The equations are those of MANO (Romero et al., 2017), which takes them from SMPL (Loper et al.,
2015; the equation numbers are SMPL's).  The arithmetic is float64 throughout.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hamer_ros.hand_model.model import HandModel
from hamer_ros.hand_model.topology import (
    FINGERTIP_VERTICES,
    N_BETAS,
    N_SKELETON,
    OPENPOSE_FROM_MANO,
    PARENTS,
)

_TIPS = np.array(list(FINGERTIP_VERTICES.values()))
_ORDER = np.array(OPENPOSE_FROM_MANO)


@dataclass(frozen=True)
class SkinnedHand:
    """A posed hand.

    vertices: (778, 3) metres.
    joints: (21, 3) metres, OpenPose order.
    """

    vertices: np.ndarray
    joints: np.ndarray


def forward(model: HandModel, rotations: np.ndarray, betas: np.ndarray) -> SkinnedHand:
    """Pose the right hand, in MANO's frame.

    With template T, directions of shape S and of pose P, regressor J and weights w:

        v = T + S beta                                               (SMPL eq. 8)
        j = J v                                                      (eq. 10)
        v = v + P vec(R_1 - I, ..., R_15 - I)                        (eq. 9)
        G_k = G_parent(k) [R_k, j_k - j_parent(k); 0, 1]             (eq. 4)
        G'_k = G_k [I, -j_k; 0, 1]                                   (eq. 3)
        v_i = sum_k w_ik G'_k v_i                                    (eq. 2)

    The joints are the origins of G_k, and the fingertips are vertices.

    rotations: (16, 3, 3) in MANO's order; the wrist's turns the whole hand about the wrist joint,
        each other is relative to its parent.
    betas: (10,) shape coefficients.

    Raises:
        ValueError: arrays of another shape.
    """
    rotations = _shaped("rotations", rotations, (N_SKELETON, 3, 3))
    betas = _shaped("betas", betas, (N_BETAS,))
    vertices = model.v_template + model.shapedirs @ betas
    rest = model.joint_regressor @ vertices
    if model.has_pose_correctives:
        vertices = vertices + model.posedirs @ (rotations[1:] - np.eye(3)).ravel()

    turns, origins = _chain(rotations, rest)
    shifts = origins - (turns @ rest[:, :, None])[:, :, 0]
    transforms = np.concatenate([turns.reshape(N_SKELETON, 9), shifts], axis=1)
    blended = model.weights @ transforms
    turned = blended[:, :9].reshape(-1, 3, 3) @ vertices[:, :, None]
    posed = turned[:, :, 0] + blended[:, 9:]
    return SkinnedHand(posed, np.concatenate([origins, posed[_TIPS]])[_ORDER])


def relative_to_wrist(hand: SkinnedHand) -> SkinnedHand:
    """Move the hand so that its wrist joint is at the origin."""
    wrist = hand.joints[0]
    return SkinnedHand(hand.vertices - wrist, hand.joints - wrist)


def _generations() -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """The joints at each distance from the wrist, and their parents."""
    generations = []
    current = [0]
    while current:
        current = [joint for joint, parent in enumerate(PARENTS) if parent in current]
        parents = [PARENTS[joint] for joint in current]
        if current:
            generations.append((np.array(current), np.array(parents)))
    return tuple(generations)


_GENERATIONS = _generations()


def _chain(rotations: np.ndarray, rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rotations (16, 3, 3) and joint origins (16, 3) of G_k, composed along the skeleton.

    All fingers advance together, one generation of joints at a time.
    """
    turns = rotations.copy()
    origins = rest.copy()
    for joints, parents in _GENERATIONS:
        turns[joints] = turns[parents] @ rotations[joints]
        bones = (rest[joints] - rest[parents])[:, :, None]
        origins[joints] = origins[parents] + (turns[parents] @ bones)[:, :, 0]
    return turns, origins


def _shaped(name: str, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(array, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, expected {shape}")
    return array
