"""The topology of every hand of MANO's format: joints, bones, fingertips and the open wrist.

Two orders of joints occur.  The *skeleton* has MANO's 16 joints that carry a rotation: wrist, then
three each of index, middle, little, ring finger and thumb.  The 21 *joints* of everything else
stand in OpenPose's order: wrist, then thumb, index, middle, ring and little finger, each from its
root to its tip.

The vertex ids are those of MANO (Romero, Tzionas and Black, "Embodied hands", 2017), the choice of
fingertips that of HaMeR and smplx, and the wrist's closing faces those of HaMeR's renderer
(Pavlakos et al., "Reconstructing hands in 3D with transformers", 2024).
"""

from __future__ import annotations

import numpy as np

N_VERTICES = 778
N_FACES = 1538
N_SKELETON = 16
N_BETAS = 10
N_POSE_FEATURES = 9 * (N_SKELETON - 1)

JOINT_NAMES = (
    "wrist",
    "thumb_metacarpal",
    "thumb_proximal",
    "thumb_distal",
    "thumb_tip",
    "index_proximal",
    "index_intermediate",
    "index_distal",
    "index_tip",
    "middle_proximal",
    "middle_intermediate",
    "middle_distal",
    "middle_tip",
    "ring_proximal",
    "ring_intermediate",
    "ring_distal",
    "ring_tip",
    "little_proximal",
    "little_intermediate",
    "little_distal",
    "little_tip",
)
"""The 21 joints in OpenPose's order, named as in OpenXR: a joint is the root of its bone."""

JOINT_PARENTS = (-1, 0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19)
"""Parent of each of the 21 joints; -1 for the wrist."""

BONES = tuple((parent, child) for child, parent in enumerate(JOINT_PARENTS) if parent >= 0)
"""The 20 (parent, child) pairs of the 21 joints."""

PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)
"""Parent of each of MANO's 16 skeleton joints; -1 for the wrist."""

SKELETON_CHAINS = {
    "index": (1, 2, 3),
    "middle": (4, 5, 6),
    "little": (7, 8, 9),
    "ring": (10, 11, 12),
    "thumb": (13, 14, 15),
}
"""Skeleton joints of each finger from root to end, in MANO's order."""

FINGERTIP_VERTICES = {"thumb": 744, "index": 320, "middle": 443, "ring": 554, "little": 671}
"""Vertex at the tip of each finger, in the order of skeleton joints 16 to 20."""

OPENPOSE_FROM_MANO = (0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20)
"""Order of the 21 joints: joints21 = concatenate(skeleton16, fingertips5)[OPENPOSE_FROM_MANO]."""

WRIST_RING = (92, 38, 122, 118, 117, 119, 120, 108, 79, 78, 121, 214, 215, 279, 239, 234)
"""The 16 vertices around the open wrist, in order."""

CLOSING_FACES = (
    (92, 38, 234),
    (234, 38, 239),
    (38, 122, 239),
    (239, 122, 279),
    (122, 118, 279),
    (279, 118, 215),
    (118, 117, 215),
    (215, 117, 214),
    (117, 119, 214),
    (214, 119, 121),
    (119, 120, 121),
    (121, 120, 78),
    (120, 108, 78),
    (78, 108, 79),
)
"""The 14 triangles, a strip over the ring, that close the wrist of a right hand."""


def closed_faces(faces: np.ndarray) -> np.ndarray:
    """The faces (1552, 3) int32 of a closed surface.

    faces: (1538, 3) of a right hand with an open wrist.
    """
    return np.concatenate([faces, np.array(CLOSING_FACES)]).astype(np.int32)


def mirrored_faces(faces: np.ndarray) -> np.ndarray:
    """The faces (F, 3) with the opposite orientation, so that a mirrored mesh faces out."""
    return np.ascontiguousarray(faces[:, [0, 2, 1]])
