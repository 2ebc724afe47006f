"""Map keypoints of an image to the plane of a virtual camera that looks straight at the hand.

There the lens, the principal point and the distance from the image's centre are gone, so the
solver treats every hand alike.  The error that a keypoint is expected to have goes along, through
the derivative of the same map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hamer_ros.camera.model import CameraModel
from hamer_ros.geometry.rotations import rotation_between
from hamer_ros.geometry.small_matrices import inverse_gram, solve


@dataclass(frozen=True)
class Keypoints:
    """The keypoints of one hand in an image.

    pixels: (M, 2).
    confidence: (M,) 0 to 1; 0 where a pixel is missing.
    sigma: standard deviation that a keypoint is expected to have, pixels.
    """

    pixels: np.ndarray
    confidence: np.ndarray
    sigma: float


@dataclass(frozen=True)
class Views:
    """B hands with M keypoints each, as their own virtual cameras see them.

    rotation: (B, 3, 3) view -> camera.
    points: (B, M, 2) on the plane z = 1.
    noise: (B, M, 2, 2) covariance of the points.
    confidence: (B, M).
    by_focal: (B, M, 2) derivative of the points by the logarithm of the focal length, the pixels
        being what they are.
    """

    rotation: np.ndarray
    points: np.ndarray
    noise: np.ndarray
    confidence: np.ndarray
    by_focal: np.ndarray


def look_at(hands: Sequence[Keypoints], camera: CameraModel) -> Views:
    """Turn a view to each hand; a keypoint that is missing or behind the view gets no confidence.

    Every hand must have at least one keypoint.
    """
    pixels = np.stack([hand.pixels for hand in hands])
    confidence = np.stack([hand.confidence for hand in hands])
    valid = np.isfinite(pixels).all(-1) & (confidence > 0)
    centers = np.stack([middle(p[ok]) for p, ok in zip(pixels, valid, strict=True)])
    pixels = np.where(valid[..., None], pixels, centers[:, None])
    rays = camera.unproject(np.concatenate([centers[:, None], pixels], axis=1))
    axis = np.array([0, 0, 1.0])
    rotation = np.stack([rotation_between(axis, ray) for ray in rays[:, 0]])
    turned = rays[:, 1:] @ rotation
    valid &= turned[..., 2] > 0.1
    points = turned[..., :2] / np.maximum(turned[..., 2:], 0.1)
    sigma = np.array([hand.sigma for hand in hands])
    slope = _pixel_slope(points, rotation, camera)
    noise = sigma[:, None, None, None] ** 2 * inverse_gram(slope)
    usable = valid & np.isfinite(noise).all((-1, -2))
    by_focal = np.zeros_like(points)
    if camera.focal_sigma > 0:
        # u - c = f x stays as it is: 0 = (u - c) d log f + du/dp dp
        by_focal = solve(slope, np.array([camera.cx, camera.cy]) - pixels)
    return Views(
        rotation,
        np.where(usable[..., None], points, 0.0),
        np.where(usable[..., None, None], noise, np.eye(2)),
        np.where(usable, confidence, 0.0),
        np.where(usable[..., None], by_focal, 0.0),
    )


def middle(values: np.ndarray) -> np.ndarray:
    """The upper median along the first axis; several times faster than `numpy.median`."""
    return np.sort(values, axis=0)[len(values) // 2]


def _pixel_slope(points: np.ndarray, rotation: np.ndarray, camera: CameraModel) -> np.ndarray:
    """The derivative (B, M, 2, 2) of pixels by points of the view's plane."""
    rays = np.concatenate([points, np.ones((*points.shape[:2], 1))], axis=-1)
    _, jacobian = camera.project_with_jacobian(rays @ rotation.transpose(0, 2, 1))
    return jacobian @ rotation[:, None, :, :2]
