"""The camera model: from metres in its optical frame to pixels and back.

A point has the coordinates x/z, y/z on the plane z = 1.  A lens bends them (`lenses` has the
models of ``sensor_msgs/CameraInfo``; ``none`` is the pinhole, also what a rectified image has), and
then u = fx x' + skew y' + cx, v = fy y' + cy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from hamer_ros.camera.lenses import distort, mirror_coefficients, turn_coefficients, undistort
from hamer_ros.errors import ConfigurationError
from hamer_ros.geometry.rotations import rotation_between

COEFFICIENTS = {
    "none": (0,),
    "plumb_bob": (0, 4, 5),
    "rational_polynomial": (0, 8, 12, 14),
    "equidistant": (0, 4),
}
"""Numbers of distortion coefficients that each lens model may have."""

GUESS_SIGMA = 0.15
"""Relative standard deviation of a focal length that comes from a guessed field of view.

Data sheets of webcams, laptops, telephones and depth cameras say 55 to 90 degrees, but for 70
degrees they may mean the diagonal (63 from left to right, 15 % in focal length), and a video mode
may cut a margin off (5 to 20 %).  Who has no data sheet and takes 60 degrees is off by 15 % in the
focal length at 67 or at 53."""

MAX_SLOPE = 1000.0
"""Greatest tangent of the angle between the optical axis and the image's edge, 0.06 degrees short
of a right angle."""

MIN_FIELD = 1e-5
"""Least tangent of a field of view: that of the longest telescopes."""

MAX_ASPECT = 10.0
"""Greatest ratio of fx to fy, either way: anamorphic lenses and binned rows squeeze by two to four.
"""

_MIN_SEEN = 0.25
"""Least part of the image in which undistorting and distorting must give back the same pixels.
Ordinary calibrations fold over in the corners, and a fisheye is black there."""


class CameraError(ConfigurationError):
    """The intrinsics cannot be used; the text says which value is wrong and what would be right."""


@dataclass(frozen=True)
class View:
    """A virtual pinhole camera with the same centre, turned so that its axis meets the hand.

    rotation: (3, 3) view -> camera.
    focal: pixels; the scale of the real image at the view's centre, so that a distance in the
        view is as many pixels as it was in the image.
    """

    rotation: np.ndarray
    focal: float


@dataclass(frozen=True)
class CameraModel:
    """Intrinsics of one image.

    width, height: pixels.
    fx, fy, cx, cy: pixels.
    lens: a key of `COEFFICIENTS`.
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
        if not 0 <= self.focal_sigma < math.inf:
            raise CameraError(f"focal_sigma is {self.focal_sigma}; it is relative, 0 or more")
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
        self._check_pixels()
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

    def _check_pixels(self) -> None:
        """Refuse a shape of the pixels that no sensor has: square ones would be too many."""
        least, most = sorted((self.fx, self.fy))
        if most > MAX_ASPECT * least:
            raise CameraError(
                f"fx is {self.fx:g} and fy is {self.fy:g}; pixels are at most {MAX_ASPECT:g} times "
                "as long as they are wide, or the other way round"
            )
        if not abs(self.skew) <= least:  # NaN is not, either
            raise CameraError(
                f"skew is {self.skew}; it is at most the smaller of fx and fy, {least:g}, either "
                "way"
            )
        shift = abs(self.skew) / self.fy * (self.height - 1)
        if shift > self.width:
            raise CameraError(
                f"skew is {self.skew:g} and fy is {self.fy:g}: the last row would be moved by "
                f"{shift:.0f} pixels against the first, at most the width, {self.width}, is "
                "possible"
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
    def from_fov(
        cls, width: int, height: int, horizontal_fov: float, focal_sigma: float = 0.0
    ) -> CameraModel:
        """A camera of which only the horizontal field of view (radians) is known.

        focal_sigma: how far it may be off, as in the class; `GUESS_SIGMA` where it is a guess.
        """
        focal = 0.5 * width / math.tan(0.5 * horizontal_fov)
        cx, cy = 0.5 * (width - 1), 0.5 * (height - 1)
        return cls(width, height, focal, focal, cx, cy, focal_sigma=focal_sigma)

    @property
    def matrix(self) -> np.ndarray:
        """The intrinsic matrix K (3, 3)."""
        return np.array([[self.fx, self.skew, self.cx], [0, self.fy, self.cy], [0, 0, 1.0]])

    @property
    def is_pinhole(self) -> bool:
        """True if straight lines stay straight."""
        return not any(self.distortion) and self.lens != "equidistant"

    def project(self, points: np.ndarray) -> np.ndarray:
        """The pixels (..., 2) of points (..., 3), metres in the camera frame; NaN behind it."""
        return self.project_with_jacobian(points)[0]

    def project_with_jacobian(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The pixels (..., 2) of points (..., 3), and their derivative (..., 2, 3).

        points: metres in the camera frame.

        The derivative is d(u, v)/d(x, y, z).  Both are NaN for points that are not in front of the
        camera.
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
        jacobian = focal[:, None] * (pinhole if self.is_pinhole else slope @ pinhole)
        if self.skew:
            pixels[..., 0] += self.skew * distorted[..., 1]
            jacobian[..., 0, :] += self.skew / self.fy * jacobian[..., 1, :]
        return pixels, jacobian

    def unproject(self, pixels: np.ndarray) -> np.ndarray:
        """The unit viewing rays (..., 3), camera frame, of pixels (..., 2); finite everywhere."""
        plane = self.sensor_plane(pixels)
        if not self.is_pinhole:
            plane = undistort(plane, self.lens, self.distortion)
        rays = np.concatenate([plane, np.ones((*plane.shape[:-1], 1))], -1)
        return rays / np.linalg.norm(rays, axis=-1, keepdims=True)

    def sensor_plane(self, pixels: np.ndarray) -> np.ndarray:
        """The points (..., 2) on the plane z = 1, distorted by the lens, of pixels (..., 2)."""
        plane = (np.asarray(pixels, float) - [self.cx, self.cy]) / [self.fx, self.fy]
        if self.skew:
            plane[..., 0] -= self.skew / self.fx * plane[..., 1]
        return plane

    def view_towards(self, pixel: np.ndarray) -> View:
        """The virtual camera that looks straight at a pixel (2,)."""
        ray = self.unproject(pixel)
        rotation = rotation_between(np.array([0, 0, 1.0]), ray)
        _, jacobian = self.project_with_jacobian(ray)
        # pixels per unit of the view's plane z = 1, the geometric mean over both directions
        focal = math.sqrt(abs(np.linalg.det(jacobian @ rotation[:, :2])))
        return View(rotation, focal)

    def resized(self, width: int, height: int, focal_sigma: float | None = None) -> CameraModel:
        """The camera of the same picture in another number of pixels.

        focal_sigma: as in the class; None keeps it.
        """
        across, down = width / self.width, height / self.height
        return replace(
            self,
            width=width,
            height=height,
            fx=across * self.fx,
            fy=down * self.fy,
            cx=across * (self.cx + 0.5) - 0.5,  # the first pixel's centre is 0
            cy=down * (self.cy + 0.5) - 0.5,
            skew=across * self.skew,
            focal_sigma=self.focal_sigma if focal_sigma is None else focal_sigma,
        )

    def mirrored(self) -> CameraModel:
        """The camera of the picture flipped left to right; its x axis points the other way."""
        return replace(
            self,
            cx=self.width - 1 - self.cx,
            skew=-self.skew,
            distortion=mirror_coefficients(self.lens, self.distortion),
        )

    def turned(self) -> CameraModel:
        """The camera of the picture turned clockwise by a quarter; its axes turn along.

        Raises:
            CameraError: it has a skew or a tilted sensor, which the result cannot express.
        """
        if self.skew:
            raise CameraError(f"skew is {self.skew:g}; a skewed image cannot be turned")
        try:
            distortion = turn_coefficients(self.lens, self.distortion)
        except ValueError as error:
            raise CameraError(f"distortion is {self.distortion}: {error}") from error
        return replace(
            self,
            width=self.height,
            height=self.width,
            fx=self.fy,
            fy=self.fx,
            cx=self.height - 1 - self.cy,
            cy=self.cx,
            distortion=distortion,
        )

    def _distort(self, plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The distorted points (..., 2) of ideal ones (..., 2), and the derivative (..., 2, 2)."""
        if self.is_pinhole:
            return plane, np.broadcast_to(np.eye(2), (*plane.shape[:-1], 2, 2))
        return distort(plane, self.lens, self.distortion)
