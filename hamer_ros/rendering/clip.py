"""A clip of two moving hands whose every joint is known: the pipeline's test with ground truth.

Two hands of the hand model face a pinhole camera, palms forward, as those of a person who stands
before it: the right hand in the left half of the image.  Each turns about all axes, comes and goes,
and closes and opens, on its own loop.  A frame is a function of its index alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from hamer_ros.geometry.rotations import MIRROR, exp_so3, mirror_rotation
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hand_model.skinning import forward, relative_to_wrist
from hamer_ros.hand_model.topology import N_BETAS, N_SKELETON, SKELETON_CHAINS
from hamer_ros.hands import Handedness
from hamer_ros.rendering.forearm import with_forearm
from hamer_ros.rendering.raster import rasterize
from hamer_ros.rendering.shading import Mesh, shade
from hamer_ros.rendering.skin import skin_colors

WIDTH, HEIGHT = 640, 480
FRAME_RATE = 30.0
INTRINSICS = np.array([[600.0, 0.0, 320.0], [0.0, 600.0, 240.0], [0.0, 0.0, 1.0]])

_X, _Y, _Z = np.eye(3)

FACING = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
"""Rotation wrist -> camera of a right hand with its palm to the camera, fingers up, thumb right."""

_FINGER_FLEXION = (0.90, 1.07, 0.66)
"""Radians at the three joints of a closed finger."""

_THUMB_CLOSED = ((0.20, -0.15, 0.15), (0.10, -0.35, 0.10), (0.0, -0.45, 0.10))
"""Rotation vectors of the thumb's joints when the hand is closed."""

_SHADOW_OFFSET = (22, 30)
_NOISE = 2.0
"""Standard deviation of the pixel noise, grey levels."""


@dataclass(frozen=True)
class HandTruth:
    """The ground truth of one hand in one frame.

    rotation: (3, 3) wrist -> camera.
    rotations: (16, 3, 3) of the right-hand model that made the hand, the first the identity.
    vertices: (778, 3) metres in the camera frame.
    joints: (21, 3) metres in the camera frame, OpenPose order; joints[0] is the wrist.
    keypoints: (21, 2) pixels, the projected joints.
    """

    handedness: Handedness
    rotation: np.ndarray
    rotations: np.ndarray
    vertices: np.ndarray
    joints: np.ndarray
    keypoints: np.ndarray


@dataclass(frozen=True)
class ClipFrame:
    """A frame of the clip.

    rgb: (480, 640, 3) uint8.
    hands: the ground truth of the hands in it.
    """

    rgb: np.ndarray
    hands: tuple[HandTruth, ...]


def clip_frame(
    model: HandModel,
    index: int,
    n_frames: int = 150,
    sides: Sequence[Handedness] = (Handedness.LEFT, Handedness.RIGHT),
) -> ClipFrame:
    """Render frame ``index`` of a loop of ``n_frames`` frames."""
    hands = clip_truth(model, index, n_frames, sides)
    return ClipFrame(with_noise(picture(model, hands), index), hands)


def clip_truth(
    model: HandModel,
    index: int,
    n_frames: int = 150,
    sides: Sequence[Handedness] = (Handedness.LEFT, Handedness.RIGHT),
) -> tuple[HandTruth, ...]:
    """The ground truth of frame ``index``, without rendering it."""
    return tuple(_hand(model, handedness, 2.0 * np.pi * index / n_frames) for handedness in sides)


def _hand(model: HandModel, handedness: Handedness, phase: float) -> HandTruth:
    """Pose one hand at a phase of the loop, 0 to 2 pi.

    The left hand runs the mirrored course of the right one, a fifth of the loop later.
    """
    if handedness is Handedness.LEFT:
        phase = phase - 0.4 * np.pi
    closed = 0.5 - 0.5 * np.cos(2.0 * phase)
    rotations = hand_rotations(closed)
    pitch = 0.25 * np.sin(phase)
    # A quarter of a radian turns the palm from the optical axis to the camera.
    yaw = -0.25 + 0.55 * np.sin(phase + 0.6)
    roll = 0.35 * np.cos(phase)
    turn = exp_so3(pitch * _X) @ exp_so3(yaw * _Y) @ exp_so3(roll * _Z)
    depth = 0.54 + 0.08 * np.cos(phase + 0.4)
    ray = np.array([-0.262 + 0.03 * np.sin(phase), 0.05 * np.cos(2.0 * phase + 0.5), 1.0])
    return pose_hand(model, handedness, turn @ FACING, rotations, depth * ray)


def pose_hand(
    model: HandModel,
    handedness: Handedness,
    rotation: np.ndarray,
    rotations: np.ndarray,
    middle: np.ndarray,
) -> HandTruth:
    """Pose a right hand in the camera frame; for a left hand, mirror all of it in x.

    It is the middle of the hand that is placed, so that the hand stays in view.

    rotation: (3, 3) wrist -> camera.
    rotations: (16, 3, 3) of the model, the first the identity.
    middle: (3,) metres, that of the hand's bounding box.
    """
    hand = relative_to_wrist(forward(model, rotations, np.zeros(N_BETAS)))
    vertices, joints = hand.vertices @ rotation.T, hand.joints @ rotation.T
    shift = (vertices.min(axis=0) + vertices.max(axis=0)) / 2.0
    vertices, joints = vertices + middle - shift, joints + middle - shift
    if handedness is Handedness.LEFT:
        vertices, joints = vertices @ MIRROR, joints @ MIRROR
        rotation = mirror_rotation(rotation)
    keypoints = (joints / joints[:, 2:]) @ INTRINSICS[:2].T
    return HandTruth(handedness, rotation, rotations, vertices, joints, keypoints)


def picture(model: HandModel, hands: Sequence[HandTruth]) -> np.ndarray:
    """Render hands, their forearms and shadows before the background, (480, 640, 3) uint8 RGB."""
    colors = _colors(model)
    meshes = [with_forearm(hand.vertices, model.faces, hand.handedness, colors) for hand in hands]
    return shade(_shadowed(_background(), meshes), meshes, INTRINSICS)


def with_noise(rgb: np.ndarray, seed: int | Sequence[int]) -> np.ndarray:
    """The image with the noise of a camera in every value of every pixel."""
    noise = np.random.default_rng(seed).standard_normal(rgb.shape, dtype=np.float32)
    return np.clip(rgb + _NOISE * noise + 0.5, 0, 255).astype(np.uint8)


def hand_rotations(closed: float) -> np.ndarray:
    """The rotations (16, 3, 3) of a right hand between open (0) and loosely closed (1)."""
    vectors = np.zeros((N_SKELETON, 3))
    for name, chain in SKELETON_CHAINS.items():
        if name == "thumb":
            vectors[list(chain)] = closed * np.array(_THUMB_CLOSED)
        else:
            # Fingers point along -x and flex about +z.
            vectors[list(chain), 2] = closed * np.array(_FINGER_FLEXION)
    return exp_so3(vectors)


@lru_cache(maxsize=1)
def _colors(model: HandModel) -> np.ndarray:
    return skin_colors(model)


@lru_cache(maxsize=1)
def _background() -> np.ndarray:
    """Paint a wall in soft light over the edge of a table, out of focus; (480, 640, 3) uint8."""
    v, u = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    light = np.exp(-(((u - 190) / 420) ** 2) - ((v - 60) / 330) ** 2)[..., None]
    wall = np.array([118, 126, 134], np.float32) + light * np.array([62, 58, 52], np.float32)
    grain = 3.0 * np.sin(0.21 * v + 1.5 * np.sin(0.013 * u))[..., None]
    table = np.array([112, 92, 74], np.float32) + 26.0 * light + grain
    edge = 392.0 - 0.03 * (u - 320.0)
    below = np.clip((v - edge) / 5.0 + 0.5, 0.0, 1.0)[..., None]
    picture = wall * (1.0 - below) + table * below
    # The table's edge catches the light.
    picture += 22.0 * np.exp(-(((v - edge - 4.0) / 4.0) ** 2))[..., None]
    return np.clip(picture, 0, 255).astype(np.uint8)


def _shadowed(image: np.ndarray, meshes: Sequence[Mesh]) -> np.ndarray:
    """Darken the background behind the hands: a soft shadow, down and to the right of them."""
    k = 4
    small = INTRINSICS.copy()
    small[:2] /= k
    mask = np.zeros((HEIGHT // k, WIDTH // k), np.float32)
    for mesh in meshes:
        seen = rasterize(mesh.vertices, mesh.faces, small, WIDTH // k, HEIGHT // k)
        height, width = seen.face_ids.shape
        window = mask[seen.top : seen.top + height, seen.left : seen.left + width]
        window[seen.face_ids >= 0] = 1.0
    shift = np.array([[1.0, 0.0, _SHADOW_OFFSET[0] / k], [0.0, 1.0, _SHADOW_OFFSET[1] / k]])
    blurred = cv2.warpAffine(mask, shift, (WIDTH // k, HEIGHT // k))
    blurred = cv2.resize(cv2.GaussianBlur(blurred, (0, 0), 5.0), (WIDTH, HEIGHT))
    return (image * (1.0 - 0.28 * blurred[..., None])).astype(np.uint8)
