"""Joints and thickness of the procedural hand.

Metres, right hand, in MANO's frame with the wrist joint at the origin: fingers along -x, thumb on
+z, palm facing -y.  The lengths are round figures for a median adult: 189 mm from the wrist to the
middle fingertip, 84 mm across the knuckles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hamer_ros.hand_model.topology import N_SKELETON, SKELETON_CHAINS

DROOP = 0.09
"""Slope by which each phalanx of a resting finger points farther down than the one before."""


@dataclass(frozen=True)
class Finger:
    """One finger at rest.

    root: the knuckle.
    lengths: those of the proximal, intermediate and distal phalanx.
    splay: slope of the finger in z, positive towards the thumb.
    radius: that of the finger at its middle joint.
    metacarpal_root: end of its metacarpal at the wrist.
    """

    root: tuple[float, float, float]
    lengths: tuple[float, float, float]
    splay: float
    radius: float
    metacarpal_root: tuple[float, float, float]


FINGERS = {
    "index": Finger(
        (-0.088, 0.002, 0.024), (0.042, 0.025, 0.022), 0.055, 0.0097, (-0.012, 0.002, 0.014)
    ),
    "middle": Finger(
        (-0.091, 0.005, 0.003), (0.046, 0.029, 0.023), 0.0, 0.0099, (-0.012, 0.002, 0.004)
    ),
    "ring": Finger(
        (-0.084, 0.002, -0.017), (0.042, 0.028, 0.023), -0.09, 0.0093, (-0.012, 0.002, -0.006)
    ),
    "little": Finger(
        (-0.072, -0.004, -0.036), (0.033, 0.020, 0.020), -0.20, 0.0082, (-0.012, 0.002, -0.016)
    ),
}

THUMB_JOINTS = ((-0.022, -0.012, 0.024), (-0.052, -0.022, 0.048), (-0.076, -0.027, 0.066))
THUMB_TIP = (-0.098, -0.029, 0.079)

FOREARM_END = 0.060
"""x of the end of the sculpted forearm, well beyond the cut."""

WRIST_CUT = 0.035
"""x of the plane in which the open wrist lies."""


def finger_points(finger: Finger) -> np.ndarray:
    """Return knuckle, two joints and tip of a resting finger, (4, 3) metres."""
    points = [np.array(finger.root)]
    for i, length in enumerate(finger.lengths):
        direction = np.array([-1.0, 0.0, finger.splay])
        direction = direction / np.linalg.norm(direction) - [0.0, DROOP * i, 0.0]
        points.append(points[-1] + length * direction / np.linalg.norm(direction))
    return np.array(points)


def digit_points() -> dict[str, np.ndarray]:
    """Return three joints and the tip of every digit, (4, 3) metres each, in MANO's order."""
    points = {}
    for name in SKELETON_CHAINS:
        if name == "thumb":
            points[name] = np.array([*THUMB_JOINTS, THUMB_TIP])
        else:
            points[name] = finger_points(FINGERS[name])
    return points


def skeleton() -> np.ndarray:
    """Return the 16 joints of the template, (16, 3) metres, in MANO's order."""
    joints = np.zeros((N_SKELETON, 3))
    for name, points in digit_points().items():
        joints[list(SKELETON_CHAINS[name])] = points[:3]
    return joints


def bone_ends() -> np.ndarray:
    """Return the far end of each joint's bone (16, 3) metres; the wrist's is the middle knuckle."""
    ends = np.zeros((N_SKELETON, 3))
    for name, points in digit_points().items():
        ends[list(SKELETON_CHAINS[name])] = points[1:]
    ends[0] = FINGERS["middle"].root
    return ends
