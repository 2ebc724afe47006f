"""Draw hands over the image that they were found in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from hamer_ros.camera.model import CameraModel
from hamer_ros.hand_model.topology import closed_faces, mirrored_faces
from hamer_ros.hands import Handedness, PlacedHand, TrackedHand
from hamer_ros.rendering.labels import Box, raised
from hamer_ros.rendering.shading import Mesh, shade
from hamer_ros.rendering.skeleton import draw_skeleton

HANDEDNESS_COLORS = {Handedness.LEFT: (0.38, 0.64, 0.90), Handedness.RIGHT: (0.94, 0.62, 0.44)}
"""Red, green and blue, 0 to 1: a left hand is blue, a right hand orange."""
FAINT = 0.3
"""Opacity of hands that are predicted, because they are not seen."""


def hand_mesh(hand: PlacedHand, faces: np.ndarray) -> Mesh:
    """The closed surface of a hand in the camera frame, in the colour of its handedness.

    faces: (1538, 3), the right-hand model's.
    """
    closed = closed_faces(faces)
    if hand.hand.handedness is Handedness.LEFT:
        closed = mirrored_faces(closed)
    return Mesh(hand.vertices, closed, HANDEDNESS_COLORS[hand.hand.handedness])


def draw_hands(
    rgb: np.ndarray, hands: Sequence[TrackedHand], camera: CameraModel, faces: np.ndarray
) -> np.ndarray:
    """Draw the shaded mesh, the observed joints and a label of each hand over an image.

    Hands that are predicted are faint, and have no observed joints.

    rgb: (H, W, 3) uint8; it is not changed.
    faces: (1538, 3), the right-hand model's.

    Returns a new image.
    """
    seen = [hand for hand in hands if hand.raw is not None]
    predicted = [hand for hand in hands if hand.raw is None]
    out = rgb
    for some, alpha in ((predicted, FAINT), (seen, 0.85)):
        meshes = [hand_mesh(hand.placed, faces) for hand in some]
        meshes = [replace(mesh, vertices=seen_through(camera, mesh.vertices)) for mesh in meshes]
        out = shade(out, meshes, camera.matrix, alpha=alpha, supersampling=1)
    thickness = max(1, round(min(rgb.shape[:2]) / 400))
    for hand in seen:
        out = draw_skeleton(out, hand.placed.hand.keypoints, thickness)
    taken: list[Box] = []
    for hand in hands:
        _label(out, hand, taken)
    return out


def seen_through(camera: CameraModel, vertices: np.ndarray) -> np.ndarray:
    """Move points (N, 3) sideways so that a pinhole draws them where the real lens shows them."""
    if camera.is_pinhole:
        return vertices
    plane = camera.sensor_plane(camera.project(vertices))
    depth = vertices[:, 2:]
    return np.concatenate([plane * depth, depth], axis=1)


def _label(image: np.ndarray, hand: TrackedHand, taken: list[Box]) -> None:
    """Write on the image above a hand; the place joins those that are taken."""
    placed = hand.placed
    text = f"{placed.hand.handedness.name.lower()} #{hand.track_id}  {placed.translation[2]:.2f} m"
    if hand.raw is None:
        text += " ?"
    size = max(0.4, min(image.shape[:2]) / 1000)
    thickness = max(1, round(1.5 * size))
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, thickness)
    left, top = placed.hand.keypoints.min(0)
    x = int(np.clip(left, 2, max(2, image.shape[1] - width - 2)))
    y = int(np.clip(top - 0.6 * height, height + 2, image.shape[0] - 4))
    _, y, _, _ = box = raised((x, y - height - 2, x + width, y + 4), taken)
    taken.append(box)
    y += height + 2
    for color, weight in (((20, 20, 20), thickness + 2), ((255, 255, 255), thickness)):
        cv2.putText(image, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, color, weight, cv2.LINE_AA)
