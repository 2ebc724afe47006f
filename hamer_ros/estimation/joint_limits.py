"""Axes and limits of the joints of a human hand: how far they usually and at most turn.

Every finger joint has three angles, in this order:

0. flexion, about the axis across the finger; positive closes the hand,
1. abduction, about the axis that leaves the palm,
2. twist, about the bone.

The ranges are those of clinical goniometry (American Academy of Orthopaedic Surgeons: MCP -45 to
95 degrees, PIP 0 to 110, DIP -15 to 80), rounded outwards, since a limit that is too tight biases
every fit and one that is too wide only costs a little noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hamer_ros.hand_model.topology import PARENTS, SKELETON_CHAINS

THUMB = SKELETON_CHAINS["thumb"]
FINGERS = tuple(chain for name, chain in SKELETON_CHAINS.items() if name != "thumb")
"""Joints (MCP, PIP, DIP) of the four fingers, numbered as in MANO's skeleton."""

_DEAD_JOINT = (0.05, 0.06)
"""Standard deviation and limit (radians) of an angle that the anatomy does not have.  Not zero:
the landmarks of a real hand are not exactly where the model's are."""


@dataclass(frozen=True)
class AngleRange:
    """Ranges of the 15 x 3 joint angles, radians, each flattened to (45,).

    mean: usual value.
    spread: standard deviation about it.
    lower, upper: limits.
    """

    mean: np.ndarray
    spread: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


def joint_axes(joints: np.ndarray, fingertips: np.ndarray) -> np.ndarray:
    """The axes that the finger joints turn about, in the rest pose of a right hand.

    joints: (16, 3) MANO's joints.
    fingertips: (5, 3) of thumb, index, middle, ring, little.

    Returns (15, 3, 3); column k of matrix j is the axis of angle k of joint j + 1.
    """
    ends = _bone_ends(joints, fingertips)
    wrist, index, little = joints[0], joints[1], joints[7]
    palm = _unit(np.cross(index - wrist, little - wrist))
    if palm[1] > 0:  # the palm of MANO's right hand faces -y
        palm = -palm
    across = _unit(little - index)
    axes = np.empty((15, 3, 3))
    for j in range(1, 16):
        bone = _unit(ends[j] - joints[j])
        # The thumb bends across the palm rather than into it.
        normal = 0.5 * palm + 0.85 * across if j in THUMB else palm
        normal = _unit(normal - (normal @ bone) * bone)
        axes[j - 1] = np.stack([np.cross(bone, normal), normal, bone], 1)
    return axes


def angle_range() -> AngleRange:
    """The ranges of the angles about the axes of `joint_axes`."""
    mean = np.zeros((16, 3))
    spread = np.full((16, 3), _DEAD_JOINT[0])
    lower = np.full((16, 3), -_DEAD_JOINT[1])
    upper = np.full((16, 3), _DEAD_JOINT[1])
    for mcp, pip, dip in FINGERS:
        mean[mcp], spread[mcp] = (0.25, 0, 0), (0.9, 0.18, 0.10)
        lower[mcp], upper[mcp] = (-0.45, -0.40, -0.20), (1.65, 0.40, 0.20)
        mean[pip, 0], spread[pip] = 0.35, (0.9, 0.04, 0.04)
        lower[pip, 0], upper[pip, 0] = -0.10, 1.95
        mean[dip, 0], spread[dip] = 0.20, (0.5, 0.04, 0.04)
        lower[dip, 0], upper[dip, 0] = -0.25, 1.40
    cmc, mcp, ip = THUMB
    mean[cmc, 0], spread[cmc] = 0.1, (0.40, 0.40, 0.25)
    lower[cmc], upper[cmc] = (-0.8, -0.9, -0.6), (1.0, 0.9, 0.6)
    mean[mcp, 0], spread[mcp] = 0.2, (0.45, 0.15, 0.12)
    lower[mcp], upper[mcp] = (-0.5, -0.35, -0.3), (1.2, 0.35, 0.3)
    mean[ip, 0], spread[ip] = 0.2, (0.55, 0.05, 0.05)
    lower[ip, 0], upper[ip, 0] = -0.5, 1.5
    return AngleRange(*(table[1:].ravel() for table in (mean, spread, lower, upper)))


def _bone_ends(joints: np.ndarray, fingertips: np.ndarray) -> np.ndarray:
    """The ends (16, 3) of the bones that start in each joint; the wrist's is not used."""
    ends = joints.copy()
    for child, parent in enumerate(PARENTS):
        if parent > 0:
            ends[parent] = joints[child]
    ends[[15, 3, 6, 12, 9]] = fingertips
    return ends


def _unit(v: np.ndarray) -> np.ndarray:
    return v / np.linalg.norm(v)
