"""Convert the crop's weak-perspective camera to pixels and to the camera frame, as HaMeR does.

HaMeR sees every crop through a camera of its own, of focal length 5000 for 256 pixels: so long that
depth hardly shows.  Its hand stands at (tx, ty, 2 f / (256 s)) in front of it.
"""

from __future__ import annotations

import numpy as np

from hamer_ros.hamer.crops import SIZE, CropSquare
from hamer_ros.hands import Handedness

FOCAL = 5000.0
"""Focal length of the crop's camera, pixels of the crop."""

_TINY = 1e-9
"""Addend that keeps the official divisions finite."""


def crop_translation(camera: np.ndarray) -> np.ndarray:
    """The hand model's origin (..., 3) in the crop's camera, metres.

    camera: (..., 3) = (s, tx, ty).
    """
    s, tx, ty = np.moveaxis(np.asarray(camera, float), -1, 0)
    return np.stack([tx, ty, 2 * FOCAL / (SIZE * s + _TINY)], axis=-1)


def crop_keypoints(joints: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """The keypoints (..., N, 2) of joints, from -0.5 to 0.5 across the crop.

    k = f (X + t)_xy / (X + t)_z / 256 with t of `crop_translation`.

    joints: (..., N, 3) metres, those of the hand model turned by the global orientation, with the
        wrist where the shape puts it.
    camera: (..., 3) = (s, tx, ty).
    """
    points = joints + crop_translation(camera)[..., None, :]
    return FOCAL / SIZE * points[..., :2] / points[..., 2:]


def scaled_focal(width: int, height: int) -> float:
    """The focal length (pixels) that the official demo assumes for an image: 5000 / 256 of it."""
    return FOCAL / SIZE * max(width, height)


def full_translation(
    camera: np.ndarray, square: CropSquare, focal: float, width: int, height: int
) -> np.ndarray:
    """The hand model's origin (3,) in the image's camera, metres.

    The image's camera has the focal length given and its principal point in the middle, as the
    official demo has it.  With b the size of the square and (cx, cy) its centre,

        z = 2 f / (b s),   x = tx + 2 (cx - W/2) / (b s),   y = ty + 2 (cy - H/2) / (b s),

    tx being negated for a left hand.  Only with `scaled_focal` do the joints meet their keypoints.

    camera: (3,) = (s, tx, ty) of the crop.
    square: the crop's square of the image.
    focal: pixels.
    width, height: of the image, pixels.
    """
    s, tx, ty = (float(value) for value in camera)
    sign = -1.0 if square.handedness is Handedness.LEFT else 1.0
    bs = square.size * s + _TINY
    cx, cy = square.center
    return np.array(
        [sign * tx + 2 * (cx - width / 2) / bs, ty + 2 * (cy - height / 2) / bs, 2 * focal / bs]
    )
