"""Names that drivers and calibration tools give to lens models, and how they fill coefficients."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hamer_ros.camera.model import COEFFICIENTS, CameraError

ALIASES = {
    "none": ("", "none", "pinhole", "perspective", "rectilinear", "no_distortion"),
    "plumb_bob": ("plumb_bob", "radtan", "radial_tangential", "brown_conrady", "brown"),
    "rational_polynomial": ("rational_polynomial", "rational", "radtan8"),
    "equidistant": (
        "equidistant",
        "equidistant4",
        "equi",
        "fisheye",
        "opencv_fisheye",
        "pinhole_equi",
        "kannala_brandt",
        "kannala_brandt4",
        "kannala_brandt8",
        "kb4",
    ),
}
"""Lens model -> names under which its coefficients are found, in the same order.  Some tools count
the focal lengths and the principal point, too, and call four coefficients eight."""

UNLIKE = {
    "inverse_brown_conrady": "it is the way back, from the image to the ideal plane (RealSense); "
    "publish zeros where the camera has none, rectified images, or a calibration of "
    "camera_calibration",
    "modified_brown_conrady": "its tangential terms act on what is already distorted (RealSense); "
    "publish rectified images, or a calibration of camera_calibration",
}
"""Models of Brown and Conrady's family whose coefficients mean something else -> the difference.
They are like the pinhole where all coefficients are zero."""

UNSUPPORTED = (
    "thin_prism",
    "thin_prism_fisheye",
    "ftheta",
    "f_theta",
    "omni",
    "omnidirectional",
    "mei",
    "unified",
    "ucm",
    "eucm",
    "ds",
    "double_sphere",
    "fov",
    "atan",
    "division",
    "scaramuzza",
    "ocam",
    "polynomial",
)
"""Models that are known, but not modelled: zeros need not mean that they do not bend."""


def lens_of(name: str, coefficients: Sequence[float]) -> tuple[str, tuple[float, ...]]:
    """The lens model and its coefficients, as `CameraModel` takes them.

    name: in any case, with spaces, dashes or underscores, and with a prefix such as
        ``distortion.``.
    coefficients: as many as the model has, or more where the rest is zero; of rational_polynomial
        also four or five, as plumb_bob has them.

    Raises:
        CameraError: a model that is not known, or whose coefficients are not of this number.
    """
    values = tuple(float(c) for c in coefficients)
    count = max((i + 1 for i, c in enumerate(values) if c != 0), default=0)  # without zeros behind
    plain = _plain(name)
    lens = _LENSES.get(plain)
    if plain in _UNLIKE:
        lens = _of_brown_family(name, _UNLIKE[plain], values, count)
    elif plain in _UNSUPPORTED:
        raise CameraError(
            f"distortion model is '{name}', which is not supported; publish rectified images and "
            f"set rectified, or calibrate the camera with one of: {_KNOWN}"
        )
    if count == 0:
        return ("equidistant" if lens == "equidistant" else "none"), ()
    if lens == "none":
        raise CameraError(
            f"distortion model is '{name}', but there are coefficients that are not zero: "
            f"{_listed(values)}; name the model that they belong to, one of: {_KNOWN}"
        )
    if lens is None:
        raise CameraError(f"distortion model is '{name}'; known are: {_KNOWN}")
    return lens, _fitted(lens, values, count)


def is_known(name: str) -> bool:
    """True if it is the name of a lens model that is supported, or refused by its name."""
    plain = _plain(name)
    return plain in _LENSES or plain in _UNLIKE or plain in _UNSUPPORTED


def _of_brown_family(name: str, reason: str, values: tuple[float, ...], count: int) -> str:
    # Without tangential terms the modified model is the ordinary one.
    if count and not (_plain(name).startswith("modified") and not any(values[2:4])):
        raise CameraError(
            f"distortion model is '{name}' with coefficients that are not zero, "
            f"{_listed(values)}, which is not supported: {reason}"
        )
    return "plumb_bob"


def _fitted(lens: str, values: tuple[float, ...], count: int) -> tuple[float, ...]:
    """The coefficients in a number that the model has, without zeros that are too many.

    None are added in between: an array of 6 or 13 is one that was cut, or another model's.
    """
    allowed = [n for n in COEFFICIENTS[lens] if n > 0]
    if lens == "rational_polynomial":
        allowed = [4, 5, *allowed]  # OpenCV takes fewer as those of plumb_bob
    if len(values) in allowed:
        fitted = values
    else:
        shorter = [n for n in allowed if count <= n < len(values)]
        if not shorter:
            wanted = " or ".join(str(n) for n in allowed)
            more = "; so many has rational_polynomial" if lens == "plumb_bob" and count > 5 else ""
            raise CameraError(
                f"{lens} has {len(values)} distortion coefficients, {count} without the zeros at "
                f"the end; needs {wanted}{more}"
            )
        fitted = values[: shorter[0]]
    if lens == "rational_polynomial" and len(fitted) < 8:
        return (*fitted, *[0.0] * (8 - len(fitted)))
    return fitted


def _listed(values: tuple[float, ...]) -> str:
    return "[" + ", ".join(f"{v:g}" for v in values) + "]"


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-/]+", "", name.strip().lower().rsplit(".", 1)[-1])


_KNOWN = ", ".join(COEFFICIENTS)
_LENSES = {_plain(alias): lens for lens, aliases in ALIASES.items() for alias in aliases}
_UNLIKE = {_plain(name): reason for name, reason in UNLIKE.items()}
_UNSUPPORTED = {_plain(name) for name in UNSUPPORTED}
