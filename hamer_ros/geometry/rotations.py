"""Rotations in three dimensions: vectors, matrices, quaternions and the mirror between hands.

A rotation vector is the rotation axis times the angle in radians.  Quaternions are (x, y, z, w) as
in ROS.  Leading dimensions are batch dimensions.

J. Solà, "A micro Lie theory for state estimation in robotics" (2018), whose equation numbers are
cited.
"""

from __future__ import annotations

import numpy as np

MIRROR = np.diag([-1.0, 1.0, 1.0])
"""S, the reflection in x that turns a right hand into a left one and back."""

_MIRROR_SIGNS = np.diag(MIRROR)

_SERIES_BELOW = 0.1
"""Angle in radians under which (theta - sin theta) / theta^3 is taken from its power series."""


def skew(v: np.ndarray) -> np.ndarray:
    """The matrices [v]x (..., 3, 3) of vectors v (..., 3), with [v]x u = v x u."""
    v = np.asarray(v, dtype=np.float64)
    out = np.zeros((*v.shape[:-1], 3, 3))
    out[..., 0, 1], out[..., 0, 2] = -v[..., 2], v[..., 1]
    out[..., 1, 0], out[..., 1, 2] = v[..., 2], -v[..., 0]
    out[..., 2, 0], out[..., 2, 1] = -v[..., 1], v[..., 0]
    return out


def exp_so3(w: np.ndarray) -> np.ndarray:
    """The rotation matrices (..., 3, 3) of rotation vectors (..., 3): Rodrigues' formula.

    R = I + sin(theta)/theta [w]x + (1 - cos(theta))/theta^2 [w]x^2, finite for every finite w
    (Solà, eq. 134).
    """
    w = np.asarray(w, dtype=np.float64)
    theta = np.linalg.norm(w, axis=-1)[..., None, None]
    K = skew(w)
    return np.eye(3) + _sinc(theta) * K + 0.5 * _sinc(theta / 2.0) ** 2 * (K @ K)


def left_jacobian_so3(w: np.ndarray) -> np.ndarray:
    """The left Jacobians (..., 3, 3) of rotation vectors (..., 3).

    Exp(w + dw) = Exp(J dw) Exp(w) to first order, with
    J = I + (1 - cos(theta))/theta^2 [w]x + (theta - sin(theta))/theta^3 [w]x^2 (Solà, eq. 145).
    """
    w = np.asarray(w, dtype=np.float64)
    theta = np.linalg.norm(w, axis=-1)[..., None, None]
    K = skew(w)
    square = theta**2
    series = 1 / 6 - square / 120 + square**2 / 5040 - square**3 / 362880
    large = np.maximum(theta, _SERIES_BELOW)
    cubic = np.where(theta < _SERIES_BELOW, series, (large - np.sin(large)) / large**3)
    return np.eye(3) + 0.5 * _sinc(theta / 2.0) ** 2 * K + cubic * (K @ K)


def log_so3(R: np.ndarray) -> np.ndarray:
    """The rotation vectors (..., 3), angles in [0, pi], of rotation matrices (..., 3, 3).

    Computed through the quaternion, theta = 2 atan2(|v|, w), which loses no digits near 0 or pi
    (Solà, eq. 105); the trace formula does at both ends.
    """
    q = quaternion_from_matrix(R)
    v, w = q[..., :3], q[..., 3:]
    sine = np.linalg.norm(v, axis=-1, keepdims=True)
    theta = 2.0 * np.arctan2(sine, w)
    # theta / sin(theta/2) -> 2 as the angle goes to 0.
    factor = np.where(sine > 0.0, theta / np.where(sine > 0.0, sine, 1.0), 2.0)
    return factor * v


def quaternion_from_matrix(R: np.ndarray) -> np.ndarray:
    """The unit quaternions (..., 4), x y z w with w >= 0, of rotation matrices (..., 3, 3).

    All entries of 4 q q^T are sums of entries of R; its row with the largest diagonal entry is a
    multiple of q that is never short of digits (Shepperd, "Quaternion from rotation matrix", 1978).
    """
    R = np.asarray(R, dtype=np.float64)
    r00, r01, r02 = R[..., 0, 0], R[..., 0, 1], R[..., 0, 2]
    r10, r11, r12 = R[..., 1, 0], R[..., 1, 1], R[..., 1, 2]
    r20, r21, r22 = R[..., 2, 0], R[..., 2, 1], R[..., 2, 2]
    outer = np.empty((*R.shape[:-2], 4, 4))
    outer[..., 0, 0] = 1.0 + r00 - r11 - r22
    outer[..., 1, 1] = 1.0 - r00 + r11 - r22
    outer[..., 2, 2] = 1.0 - r00 - r11 + r22
    outer[..., 3, 3] = 1.0 + r00 + r11 + r22
    outer[..., 0, 1] = outer[..., 1, 0] = r10 + r01
    outer[..., 0, 2] = outer[..., 2, 0] = r20 + r02
    outer[..., 1, 2] = outer[..., 2, 1] = r21 + r12
    outer[..., 0, 3] = outer[..., 3, 0] = r21 - r12
    outer[..., 1, 3] = outer[..., 3, 1] = r02 - r20
    outer[..., 2, 3] = outer[..., 3, 2] = r10 - r01
    largest = np.argmax(np.diagonal(outer, axis1=-2, axis2=-1), axis=-1)
    q = np.take_along_axis(outer, largest[..., None, None], axis=-2)[..., 0, :]
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    return np.where(q[..., 3:] < 0.0, -q, q)


def matrix_from_quaternion(q: np.ndarray) -> np.ndarray:
    """The rotation matrices (..., 3, 3) of quaternions (..., 4), x y z w, of any length but zero.

    R = I + 2 w [v]x + 2 [v]x^2 for a unit quaternion.

    Raises:
        ValueError: a quaternion of length zero.
    """
    q = np.asarray(q, dtype=np.float64)
    largest = np.abs(q).max(axis=-1, keepdims=True)
    if not np.all(largest > 0.0):
        raise ValueError("a quaternion of length zero is no rotation")
    q = q / largest
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    K = skew(q[..., :3])
    return np.eye(3) + 2.0 * q[..., 3, None, None] * K + 2.0 * (K @ K)


def rotation_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The rotation (3, 3) by the least angle that turns the direction a (3,) onto b (3,).

    Opposite directions leave the axis open: one perpendicular to both is chosen.

    Raises:
        ValueError: a vector of length zero.
    """
    a, b = _unit(a), _unit(b)
    cosine = a @ b
    if cosine >= 0.0:
        K = skew(np.cross(a, b))
        return np.eye(3) + K + K @ K / (1.0 + cosine)
    # 1 + cosine cancels here.  Two reflections whose normals lie in the plane of a and b make the
    # same rotation: the first takes a to b, the second keeps b.  Any plane serves opposite vectors.
    across = a - cosine * b
    if np.linalg.norm(across) < 1e-9:
        across = np.cross(b, np.eye(3)[np.argmin(np.abs(b))])
    across = _unit(across)
    across = _unit(across - (across @ b) * b)
    return _reflection(across) @ _reflection(_unit(a - b))


def mirror_points(points: np.ndarray) -> np.ndarray:
    """The points S p = (-x, y, z) of points p (..., 3), or (-x, y) of points (..., 2)."""
    return points * _MIRROR_SIGNS[: points.shape[-1]]


def mirror_rotation(R: np.ndarray) -> np.ndarray:
    """The rotation matrices S R S (..., 3, 3) of R (..., 3, 3): the same rotation in the mirror."""
    return MIRROR @ np.asarray(R, dtype=np.float64) @ MIRROR


def mirror_rotation_vector(w: np.ndarray) -> np.ndarray:
    """The rotation vectors (w_x, -w_y, -w_z) of S Exp(w) S, w (..., 3) being an axial vector."""
    return np.asarray(w, dtype=np.float64) * np.array([1.0, -1.0, -1.0])


def _sinc(x: np.ndarray) -> np.ndarray:
    """The function sin(x) / x, and 1 at 0."""
    return np.sinc(x / np.pi)


def _unit(v: np.ndarray) -> np.ndarray:
    v = np.asarray(v, dtype=np.float64)
    largest = np.abs(v).max()
    if not largest > 0.0:
        raise ValueError("a vector of length zero has no direction")
    v = v / largest
    return v / np.linalg.norm(v)


def _reflection(normal: np.ndarray) -> np.ndarray:
    """The Householder matrix I - 2 n n^T (3, 3) of a unit normal n (3,)."""
    return np.eye(3) - 2.0 * np.outer(normal, normal)
