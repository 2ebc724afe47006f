"""Lens models: from the ideal plane z = 1 to the plane that the sensor sees, and back.

plumb_bob
    Brown-Conrady with up to three radial terms, k1 k2 p1 p2 k3, as in OpenCV's calib3d.
rational_polynomial
    The same with k4 k5 k6 in a denominator, then the thin prism s1 s2 s3 s4, then the tilt of the
    sensor tau_x tau_y, in OpenCV's order.
equidistant
    The fisheye of Kannala and Brandt (PAMI 2006), k1 k2 k3 k4, as in OpenCV's fisheye.
"""

from __future__ import annotations

import math

import numpy as np

from hamer_ros.geometry.small_matrices import solve

Coefficients = tuple[float, ...]


def distort(plane: np.ndarray, lens: str, d: Coefficients) -> tuple[np.ndarray, np.ndarray]:
    """The distorted points (..., 2) of ideal ones (..., 2), and the derivative (..., 2, 2)."""
    if lens == "equidistant":
        return _fisheye(plane, d)
    distorted, slope = _brown_conrady(plane, d)
    if any(d[12:]):
        return _tilted(distorted, slope, tilt_matrix(*d[12:]))
    return distorted, slope


def undistort(distorted: np.ndarray, lens: str, d: Coefficients) -> np.ndarray:
    """The ideal points (..., 2) of distorted ones (..., 2).

    Newton's method on `distort` is quadratic, so a few steps reach rounding.
    """
    if lens == "equidistant":
        return _fisheye_inverse(distorted, d)
    plane = distorted.copy()
    for _ in range(20):
        with np.errstate(all="ignore"):
            value, slope = distort(plane, lens, d)
            step = solve(slope, distorted - value)
        # Outside of the calibrated field the polynomial may fold over: keep the step small
        # there rather than jump to another branch, and stay where there is none.
        step = np.clip(np.nan_to_num(step), -0.3, 0.3)
        plane = plane + step
        if np.all(np.abs(step) < 1e-13):
            break
    return plane


def mirror_coefficients(lens: str, d: Coefficients) -> Coefficients:
    """The coefficients of the same lens in an image that is flipped left to right.

    What is uneven in x changes its sign: p2, the thin prism's s1 and s2, the tilt about y.
    """
    if lens == "equidistant":
        return d
    uneven = {3, 8, 9, 13}
    return tuple(-c if i in uneven else c for i, c in enumerate(d))


def turn_coefficients(lens: str, d: Coefficients) -> Coefficients:
    """The coefficients of the same lens in an image that is turned clockwise by a quarter.

    Raises:
        ValueError: a tilted sensor, whose two angles are of different kinds.
    """
    if lens == "equidistant" or not d:
        return d
    if any(d[12:]):
        raise ValueError("the tilt of a sensor cannot be turned")
    out = [*d]
    out[2], out[3] = d[3], -d[2]
    if len(d) >= 12:
        out[8:12] = [-d[10], -d[11], d[8], d[9]]
    return tuple(out)


def tilt_matrix(tau_x: float, tau_y: float) -> np.ndarray:
    """The homography (3, 3) from the plane z = 1 to a sensor turned about x, then about y.

    tau_x, tau_y: radians.
    """
    cx, sx, cy, sy = math.cos(tau_x), math.sin(tau_x), math.cos(tau_y), math.sin(tau_y)
    about_x = np.array([[1, 0, 0], [0, cx, sx], [0, -sx, cx]])
    about_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    r = about_y @ about_x
    return np.array([[r[2, 2], 0, -r[0, 2]], [0, r[2, 2], -r[1, 2]], [0, 0, 1]]) @ r


def _brown_conrady(plane: np.ndarray, d: Coefficients) -> tuple[np.ndarray, np.ndarray]:
    """Distort by Brown and Conrady: (x', y') = (x, y) g(r^2) + tangential and thin prism terms."""
    k1, k2, p1, p2, k3, k4, k5, k6 = (*d[:8], *([0.0] * (8 - len(d))))
    x, y = plane[..., 0], plane[..., 1]
    r2 = x * x + y * y
    top = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    bottom = 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
    g = top / bottom
    dtop = k1 + r2 * (2 * k2 + r2 * 3 * k3)
    dbottom = k4 + r2 * (2 * k5 + r2 * 3 * k6)
    dg = (dtop - g * dbottom) / bottom  # dg/d(r^2)
    distorted = np.stack(
        [
            x * g + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
            y * g + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
        ],
        -1,
    )
    slope = np.empty((*plane.shape[:-1], 2, 2))
    slope[..., 0, 0] = g + 2 * x * x * dg + 2 * p1 * y + 6 * p2 * x
    slope[..., 0, 1] = 2 * x * y * dg + 2 * p1 * x + 2 * p2 * y
    slope[..., 1, 0] = slope[..., 0, 1]
    slope[..., 1, 1] = g + 2 * y * y * dg + 6 * p1 * y + 2 * p2 * x
    if any(d[8:12]):
        s1, s2, s3, s4 = d[8:12]
        distorted[..., 0] += r2 * (s1 + r2 * s2)
        distorted[..., 1] += r2 * (s3 + r2 * s4)
        # d/d(r^2), and d(r^2) = 2 (x dx + y dy)
        prism = np.stack([s1 + 2 * r2 * s2, s3 + 2 * r2 * s4], -1)
        slope += 2 * prism[..., :, None] * plane[..., None, :]
    return distorted, slope


def _tilted(
    plane: np.ndarray, slope: np.ndarray, tilt: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Project points (..., 2) and their slope (..., 2, 2) from the plane z = 1 to a tilted sensor.

    tilt: (3, 3) `tilt_matrix`.
    """
    homogeneous = plane @ tilt[:, :2].T + tilt[:, 2]
    tilted = homogeneous[..., :2] / homogeneous[..., 2:]
    own = (tilt[:2, :2] - tilted[..., :, None] * tilt[2, :2]) / homogeneous[..., 2, None, None]
    return tilted, own @ slope


def _fisheye(plane: np.ndarray, d: Coefficients) -> tuple[np.ndarray, np.ndarray]:
    """Distort by Kannala and Brandt: r' = theta (1 + k1 theta^2 + ...) with theta = atan r."""
    r = np.linalg.norm(plane, axis=-1)
    theta = np.arctan(r)
    bent, dbent = _theta_polynomial(theta, d)
    small = r < 1e-8
    safe = np.where(small, 1.0, r)
    ratio = np.where(small, 1.0, bent / safe)
    # d(ratio)/dr / r, so that the derivative is ratio I + (d ratio/dr / r) p p^T
    curl = np.where(small, 0.0, (dbent / (1 + r * r) - ratio) / safe**2)
    slope = curl[..., None, None] * (plane[..., :, None] * plane[..., None, :])
    slope += ratio[..., None, None] * np.eye(2)
    return plane * ratio[..., None], slope


def _fisheye_inverse(distorted: np.ndarray, d: Coefficients) -> np.ndarray:
    """Undo `_fisheye` by Newton's method on the angle.

    It is held below 90 degrees: a plane z = 1 has no points beyond.
    """
    bent = np.linalg.norm(distorted, axis=-1)
    theta = np.minimum(bent, 1.5)
    for _ in range(20):
        with np.errstate(all="ignore"):
            value, slope = _theta_polynomial(theta, d)
            step = (bent - value) / np.maximum(slope, 1e-3)
        step = np.clip(np.nan_to_num(step), -0.3, 0.3)
        theta = np.clip(theta + step, 0.0, 1.55)
        if np.all(np.abs(step) < 1e-14):
            break
    scale = np.where(bent < 1e-8, 1.0, np.tan(theta) / np.where(bent < 1e-8, 1.0, bent))
    return distorted * scale[..., None]


def _theta_polynomial(theta: np.ndarray, d: Coefficients) -> tuple[np.ndarray, np.ndarray]:
    k1, k2, k3, k4 = d or (0.0,) * 4
    t2 = theta * theta
    value = theta * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4))))
    slope = 1 + t2 * (3 * k1 + t2 * (5 * k2 + t2 * (7 * k3 + t2 * 9 * k4)))
    return value, slope
