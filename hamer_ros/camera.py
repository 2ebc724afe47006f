"""The camera: from metres in its optical frame to pixels and back.

Lens models are those of ``sensor_msgs/CameraInfo``:

none
    The pinhole, u = fx x/z + cx, v = fy y/z + cy (also what a rectified image has).
plumb_bob, rational_polynomial
    Brown-Conrady with up to three (k1 k2 p1 p2 k3) or six radial terms (k1 k2 p1 p2 k3 k4 k5 k6),
    as in OpenCV's calib3d.
equidistant
    The fisheye of Kannala and Brandt (PAMI 2006), k1 k2 k3 k4, as in OpenCV's fisheye.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hamer_ros.rotations import rotation_between

COEFFICIENTS = {
    "none": (0,),
    "plumb_bob": (0, 4, 5),
    "rational_polynomial": (0, 8),
    "equidistant": (0, 4),
}
"""How many distortion coefficients each lens model may have."""

MAX_SLOPE = 1000.0
"""Greatest tangent of the angle between the optical axis and the image's edge, 0.06 degrees short
of a right angle."""

MIN_FIELD = 1e-5
"""Least tangent of a field of view: that of the longest telescopes."""

_MIN_SEEN = 0.25
"""Least part of the image in which a lens model must give back the pixels that it was asked for.
Ordinary calibrations fold over in the corners, and a fisheye is black there."""


class CameraError(ValueError):
    """The intrinsics cannot be used; the text says which value is wrong and what would be right."""


@dataclass(frozen=True)
class View:
    """A virtual pinhole camera at the same place, turned so that its axis meets the hand.

    rotation: (3, 3) view -> camera.
    focal: pixels; the scale of the real image at the view's centre, so that a distance in the
        view is as many pixels as it was in the image.
    """

    rotation: np.ndarray
    focal: float


@dataclass(frozen=True)
class CameraModel:
    """Intrinsics of one image.

    width, height: pixels.  fx, fy, cx, cy: pixels.  lens: a key of `COEFFICIENTS`.
    distortion: the lens' coefficients in CameraInfo's order.
    skew: pixels; K[0, 1], which a sensor whose rows are not square to its columns has.
    focal_sigma: relative standard deviation of both focal lengths together, 0 where calibrated.

    Raises:
        CameraError: a size or focal length that is not positive, a number that is not finite, an
            unknown lens, a wrong number of coefficients, or numbers that no camera has.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    lens: str = "none"
    distortion: tuple[float, ...] = ()
    skew: float = 0.0
    focal_sigma: float = 0.0

    def __post_init__(self) -> None:
        if self.width <= 0 or self.height <= 0:
            raise CameraError(f"image size is {self.width}x{self.height}; both must be positive")
        for name in ("fx", "fy"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise CameraError(f"{name} is {value}; a focal length is positive, in pixels")
        for name in ("cx", "cy"):
            value = getattr(self, name)
            if not math.isfinite(value):
                raise CameraError(f"{name} is {value}; the principal point must be finite")
        if self.lens not in COEFFICIENTS:
            known = ", ".join(COEFFICIENTS)
            raise CameraError(f"distortion model is '{self.lens}'; known are: {known}")
        if len(self.distortion) not in COEFFICIENTS[self.lens]:
            allowed = " or ".join(str(n) for n in COEFFICIENTS[self.lens])
            raise CameraError(
                f"{self.lens} has {len(self.distortion)} distortion coefficients; needs {allowed}"
            )
        if not all(math.isfinite(c) for c in self.distortion):
            raise CameraError(f"distortion is {self.distortion}; all coefficients must be finite")
        self._check_field("fx", "cx", "width")
        self._check_field("fy", "cy", "height")
        if not self.is_pinhole:
            self._check_lens()

    def _check_field(self, focal: str, centre: str, size: str) -> None:
        """Refuse intrinsics under which the image would show nothing, or the whole world."""
        f, c, n = getattr(self, focal), getattr(self, centre), getattr(self, size)
        slope = max(abs(c), abs(n - c)) / f
        if n / f < MIN_FIELD or slope > MAX_SLOPE:
            raise CameraError(
                f"{focal} is {f:g} and {centre} is {c:g}, in an image whose {size} is {n}; no "
                f"camera sees {math.degrees(math.atan(slope)):.3g} degrees off its axis in a field "
                f"of {math.degrees(math.atan(n / f)):.3g} degrees"
            )

    def _check_lens(self) -> None:
        """Refuse a distortion that cannot be undone: nothing could be placed under it."""
        side = np.linspace(0, 1, 9)
        grid = np.stack(np.meshgrid(side * self.width, side * self.height), -1).reshape(-1, 2)
        with np.errstate(all="ignore"):
            rays = self.unproject(grid)
            error = np.abs(self.project(rays) - grid).max(-1)
            slope = self._distort(rays[:, :2] / rays[:, 2:])[1]
            # Beyond a fold the polynomial comes back turned round or inside out.
            is_upright = (np.linalg.det(slope) > 0) & (np.trace(slope, axis1=1, axis2=2) > 0)
        # NaN is neither small nor upright.
        seen = np.mean((error < 0.01 * max(self.width, self.height)) & is_upright)
        if seen < _MIN_SEEN:
            raise CameraError(
                f"distortion is {self.distortion} ({self.lens}); it can be undone in "
                f"{100 * seen:.0f} % of the image, at least {100 * _MIN_SEEN:.0f} % is needed"
            )

    @classmethod
    def from_fov(cls, width: int, height: int, horizontal_fov: float) -> CameraModel:
        """A guess for a camera of which only the horizontal field of view (radians) is known."""
        focal = 0.5 * width / math.tan(0.5 * horizontal_fov)
        return cls(width, height, focal, focal, 0.5 * (width - 1), 0.5 * (height - 1))

    @classmethod
    def from_yaml(cls, path: str | Path) -> CameraModel:
        """Read the calibration file that ROS' camera_calibration writes (raw image, K and D).

        Raises:
            CameraError: the file lacks a field or holds an unusable value.
        """
        import yaml  # noqa: PLC0415 - of a calibration file only

        content = yaml.safe_load(Path(path).read_text())
        try:
            return cls._from_calibration(content)
        except (KeyError, TypeError, IndexError) as error:
            raise CameraError(
                f"{path}: {error!r}; needs image_width, image_height, camera_matrix.data (9), "
                "distortion_model and distortion_coefficients.data"
            ) from error
        except CameraError as error:
            raise CameraError(f"{path}: {error}") from error

    @classmethod
    def _from_calibration(cls, content: Mapping[str, Any]) -> CameraModel:
        k = [float(v) for v in content["camera_matrix"]["data"]]
        return cls(
            int(content["image_width"]),
            int(content["image_height"]),
            fx=k[0],
            fy=k[4],
            cx=k[2],
            cy=k[5],
            lens=content["distortion_model"],
            distortion=tuple(float(v) for v in content["distortion_coefficients"]["data"]),
        )

    @property
    def matrix(self) -> np.ndarray:
        """(3, 3) K."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1.0]])

    @property
    def is_pinhole(self) -> bool:
        """Whether straight lines stay straight."""
        return not any(self.distortion) and self.lens != "equidistant"

    def project(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) metres in the camera frame -> (..., 2) pixels; NaN for what lies behind."""
        return self.project_with_jacobian(points)[0]

    def project_with_jacobian(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (..., 2) of points (..., 3) and their derivative d(u, v)/d(x, y, z) (..., 2, 3).

        Both are NaN for points that are not in front of the camera.
        """
        points = np.asarray(points, float)
        z = np.where(points[..., 2] > 1e-6, points[..., 2], np.nan)
        a, b = points[..., 0] / z, points[..., 1] / z
        distorted, slope = self._distort(np.stack([a, b], -1))
        # d(a, b)/d(x, y, z) of the pinhole
        pinhole = np.zeros((*points.shape[:-1], 2, 3))
        pinhole[..., 0, 0] = pinhole[..., 1, 1] = 1 / z
        pinhole[..., 0, 2], pinhole[..., 1, 2] = -a / z, -b / z
        focal = np.array([self.fx, self.fy])
        pixels = distorted * focal + np.array([self.cx, self.cy])
        jacobian = pinhole if self.is_pinhole else slope @ pinhole
        return pixels, focal[:, None] * jacobian

    def unproject(self, pixels: np.ndarray) -> np.ndarray:
        """(..., 2) pixels -> (..., 3) unit viewing rays in the camera frame, finite everywhere."""
        pixels = np.asarray(pixels, float)
        plane = (pixels - [self.cx, self.cy]) / [self.fx, self.fy]
        if not self.is_pinhole:
            plane = self._undistort(plane)
        rays = np.concatenate([plane, np.ones((*plane.shape[:-1], 1))], -1)
        return rays / np.linalg.norm(rays, axis=-1, keepdims=True)

    def view_towards(self, pixel: np.ndarray) -> View:
        """The virtual camera that looks straight at a pixel (2,)."""
        ray = self.unproject(pixel)
        rotation = rotation_between(np.array([0, 0, 1.0]), ray)
        _, jacobian = self.project_with_jacobian(ray)
        # pixels per unit of the view's plane z = 1, the geometric mean over both directions
        focal = math.sqrt(abs(np.linalg.det(jacobian @ rotation[:, :2])))
        return View(rotation, focal)

    def _distort(self, plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ideal plane coordinates (..., 2) -> distorted ones and the (..., 2, 2) derivative."""
        if self.is_pinhole:
            return plane, np.broadcast_to(np.eye(2), (*plane.shape[:-1], 2, 2))
        if self.lens == "equidistant":
            return _fisheye(plane, self.distortion)
        return _brown_conrady(plane, self.distortion)

    def _undistort(self, distorted: np.ndarray) -> np.ndarray:
        """Newton's method on `_distort`: quadratic, so a few steps reach rounding."""
        if self.lens == "equidistant":
            return _fisheye_inverse(distorted, self.distortion)
        plane = distorted.copy()
        for _ in range(20):
            with np.errstate(all="ignore"):
                value, slope = self._distort(plane)
                step = _solve(slope, distorted - value)
            # Outside of the calibrated field the polynomial may fold over: keep the step small
            # there rather than jump to another branch, and stay where there is none.
            step = np.clip(np.nan_to_num(step), -0.3, 0.3)
            plane = plane + step
            if np.all(np.abs(step) < 1e-13):
                break
        return plane


def _solve(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Cramer's rule for (..., 2, 2) x = (..., 2); not finite where the matrix is singular."""
    a, b, c, d = (matrix[..., i, j] for i in (0, 1) for j in (0, 1))
    x, y = vector[..., 0], vector[..., 1]
    return np.stack([d * x - b * y, a * y - c * x], -1) / (a * d - b * c)[..., None]


def _brown_conrady(plane: np.ndarray, d: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """OpenCV's model: (x', y') = (x, y) g(r^2) + tangential terms, with its derivative."""
    k1, k2, p1, p2, k3, k4, k5, k6 = (*d, *([0.0] * (8 - len(d))))
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
    return distorted, slope


def _fisheye(plane: np.ndarray, d: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Kannala-Brandt: r' = theta (1 + k1 theta^2 + k2 theta^4 + ...), theta = atan r."""
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


def _fisheye_inverse(distorted: np.ndarray, d: tuple[float, ...]) -> np.ndarray:
    """Newton on the angle, held below 90 degrees: a plane z = 1 has no points beyond."""
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


def _theta_polynomial(theta: np.ndarray, d: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    k1, k2, k3, k4 = d or (0.0,) * 4
    t2 = theta * theta
    value = theta * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4))))
    slope = 1 + t2 * (3 * k1 + t2 * (5 * k2 + t2 * (7 * k3 + t2 * 9 * k4)))
    return value, slope
