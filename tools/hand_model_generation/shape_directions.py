"""The ten directions in which the procedural hand changes shape.

    beta 0   overall size                          6 % a unit
    beta 1   length of all five digits             6 %
    beta 2   width of the palm                     6 %
    beta 3   length of the palm                    5 %
    beta 4   thickness of the digits               9 %
    beta 5   thickness of the palm and wrist       8 %
    beta 6   length of the thumb                   7 %
    beta 7   index longer, ring finger shorter     5 %
    beta 8   length of the little finger           7 %
    beta 9   length of the last phalanges          8 %

They are built on the skinning weights: what a joint owns moves with it, and what hangs on it moves
along.  Nothing is learned from people; the sizes of the steps are chosen, not measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hamer_ros.hand_model.topology import PARENTS, SKELETON_CHAINS

_DIGITS = tuple(joint for chain in SKELETON_CHAINS.values() for joint in chain)
_LAST_PHALANGES = tuple(chain[-1] for chain in SKELETON_CHAINS.values())


@dataclass(frozen=True)
class Rig:
    """The template and its bones: vertices (778, 3), weights (778, 16), joints and ends (16, 3)."""

    vertices: np.ndarray
    weights: np.ndarray
    joints: np.ndarray
    bone_ends: np.ndarray


def shape_directions(rig: Rig) -> np.ndarray:
    """Return the directions (778, 3, 10), metres per unit of beta."""
    chains = SKELETON_CHAINS
    directions = [
        0.06 * (rig.vertices - rig.joints[0]),
        _stretched(rig, _DIGITS, 0.06),
        _palm_scaled(rig, axis=2, amount=0.06),
        _palm_scaled(rig, axis=0, amount=0.05),
        _thickened(rig, _DIGITS, 0.09),
        _palm_thickened(rig, 0.08),
        _stretched(rig, chains["thumb"], 0.07),
        _stretched(rig, chains["index"], 0.05) - _stretched(rig, chains["ring"], 0.05),
        _stretched(rig, chains["little"], 0.07),
        _stretched(rig, _LAST_PHALANGES, 0.08),
    ]
    return np.stack(directions, axis=-1)


def _stretched(rig: Rig, joints: tuple[int, ...], amount: float) -> np.ndarray:
    """Return the displacements (778, 3) that lengthen the bones at these joints by a fraction."""
    out = np.zeros_like(rig.vertices)
    for joint in joints:
        bone = rig.bone_ends[joint] - rig.joints[joint]
        along = (rig.vertices - rig.joints[joint]) @ bone / (bone @ bone)
        carried = sum(rig.weights[:, k] for k in range(len(PARENTS)) if joint in _ancestors(k))
        share = rig.weights[:, joint] * along + carried
        out += amount * share[:, None] * bone
    return out


def _thickened(rig: Rig, joints: tuple[int, ...], amount: float) -> np.ndarray:
    """Return the displacements (778, 3) that scale the parts at these joints across their bones."""
    out = np.zeros_like(rig.vertices)
    for joint in joints:
        bone = rig.bone_ends[joint] - rig.joints[joint]
        offset = rig.vertices - rig.joints[joint]
        across = offset - np.outer(offset @ bone / (bone @ bone), bone)
        out += amount * rig.weights[:, joint, None] * across
    return out


def _palm_scaled(rig: Rig, axis: int, amount: float) -> np.ndarray:
    """Return the displacements (778, 3) that scale the palm along one axis; digits move along."""
    out = np.zeros_like(rig.vertices)
    out[:, axis] = rig.weights[:, 0] * rig.vertices[:, axis]
    for chain in SKELETON_CHAINS.values():
        out[:, axis] += rig.weights[:, list(chain)].sum(axis=1) * rig.joints[chain[0], axis]
    return amount * out


def _palm_thickened(rig: Rig, amount: float) -> np.ndarray:
    out = np.zeros_like(rig.vertices)
    out[:, 1] = amount * rig.weights[:, 0] * rig.vertices[:, 1]
    return out


def _ancestors(joint: int) -> set[int]:
    found = set()
    while PARENTS[joint] >= 0:
        joint = PARENTS[joint]
        found.add(joint)
    return found
