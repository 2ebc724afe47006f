"""CameraInfo messages, sound and broken, with their expected outcome."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sensor_msgs.msg import CameraInfo, RegionOfInterest

from bench.fuzz.expected_outcome import (
    BAD_INFO,
    OTHER_SIZE,
    UNCALIBRATED,
    ExpectedOutcome,
    broken,
    doubtful,
)

LENSES: dict[str, tuple[float, ...]] = {
    "": (),
    "none": (),
    "plumb_bob": (-0.2, 0.05, 0.001, -0.001, 0.0),
    "rational_polynomial": (0.4, 0.1, 0.001, -0.001, 0.01, 0.7, 0.2, 0.02),
    "equidistant": (-0.02, 0.003, -0.001, 0.0002),
    # Other names of the same, longer arrays that end in zeros, thin prism and tilt.
    "Plumb Bob": (-0.2, 0.05, 0.001, -0.001, 0.01, 0.0, 0.0, 0.0),
    "radtan": (-0.2, 0.05, 0.001, -0.001),
    "fisheye": (-0.02, 0.003, -0.001, 0.0002, 0.0),
    "rational": (0.4, 0.1, 0.001, -0.001, 0.01, 0.7, 0.2, 0.02, 0.001, 0.0, -0.001, 0.0),
    "Rational-Polynomial": (
        *(0.4, 0.1, 0.001, -0.001, 0.01, 0.7, 0.2, 0.02),
        *(0.0,) * 4,
        0.02,
        0.01,
    ),
    "distortion.inverse_brown_conrady": (0.0,) * 5,
}
"""Distortion models and the coefficients of an ordinary lens."""

_NAN, _INF = float("nan"), float("inf")
_NO_NUMBERS = (_NAN, _INF, -_INF)
_ABSURD = (5e-324, 1e-300, 1e-9, 1e9, 1e300, 1.7976931348623157e308)
_MAX = 2**32 - 1

Broken = tuple[str, CameraInfo, ExpectedOutcome]


def sound(rng: np.random.Generator, width: int, height: int) -> CameraInfo:
    """Return the intrinsics of some camera for images of this size, raw and rectified alike."""
    focal = float(rng.uniform(0.6, 1.6)) * max(width, height)
    lens = str(rng.choice(list(LENSES)))
    info = CameraInfo(width=width, height=height, distortion_model=lens, d=list(LENSES[lens]))
    bin_x = bin_y = 1
    if rng.random() < 0.1:
        # The image is a crop of a sensor, and its pixels are binned.
        bin_x, bin_y = map(int, rng.integers(1, 4, 2))
        info.binning_x, info.binning_y = bin_x, bin_y
        info.roi = RegionOfInterest(
            x_offset=10, y_offset=20, width=bin_x * width, height=bin_y * height
        )
        info.width, info.height = bin_x * width + 50, bin_y * height + 50
    fx, cx = bin_x * focal, bin_x * 0.5 * width + info.roi.x_offset
    fy, cy = bin_y * focal, bin_y * 0.5 * height + info.roi.y_offset
    skew = 0.03 * fx if rng.random() < 0.1 else 0.0
    info.k = [fx, skew, cx, 0.0, fy, cy, 0.0, 0.0, 1.0]
    info.p = [fx, skew, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0]
    info.r = np.eye(3).ravel()
    return info


def damaged(rng: np.random.Generator, info: CameraInfo, rectified: bool) -> Broken:
    """Break one thing about sound intrinsics in place; returns its name, them and their outcome.

    rectified: the images are rectified; then D and the lens are not used.
    """
    damage = _DAMAGES[int(rng.integers(len(_DAMAGES)))]
    expected = damage(rng, info)
    if damage in _OF_THE_LENS and rectified:
        expected = doubtful(BAD_INFO)
    return damage.__name__.strip("_").replace("_", " "), info, expected


def _set(info: CameraInfo, at: tuple[int, int], value: float) -> None:
    """Set an entry of K and the same one of P."""
    info.k[3 * at[0] + at[1]] = value
    info.p[4 * at[0] + at[1]] = value


_FX, _FY, _CX, _CY = (0, 0), (1, 1), (0, 2), (1, 2)


def _uncalibrated(rng: np.random.Generator, info: CameraInfo) -> ExpectedOutcome:
    info.k, info.p, info.d = [0.0] * 9, [0.0] * 12, []
    return broken(UNCALIBRATED)


def _focal_length_is_no_number(rng: np.random.Generator, info: CameraInfo) -> ExpectedOutcome:
    _set(info, _FX if rng.random() < 0.5 else _FY, float(rng.choice(_NO_NUMBERS)))
    return broken(BAD_INFO)


def _focal_length_is_negative(rng: np.random.Generator, info: CameraInfo) -> ExpectedOutcome:
    _set(info, _FX if rng.random() < 0.5 else _FY, -float(rng.choice([1e-300, 1.0, 600.0, 1e300])))
    return broken(BAD_INFO)


def _only_one_focal_length(rng: np.random.Generator, info: CameraInfo) -> ExpectedOutcome:
    _set(info, _FX if rng.random() < 0.5 else _FY, 0.0)
    return broken(BAD_INFO, UNCALIBRATED)


def _absurd_focal_length(rng: np.random.Generator, info: CameraInfo) -> ExpectedOutcome:
    for entry in ((_FX,), (_FY,), (_FX, _FY))[int(rng.integers(3))]:
        _set(info, entry, float(rng.choice(_ABSURD)))
    return doubtful(BAD_INFO)


def _principal_point_is_no_number(rng: np.random.Generator, info: CameraInfo) -> ExpectedOutcome:
    _set(info, _CX if rng.random() < 0.5 else _CY, float(rng.choice(_NO_NUMBERS)))
    return broken(BAD_INFO)


def _absurd_principal_point(rng: np.random.Generator, info: CameraInfo) -> ExpectedOutcome:
    sign = float(rng.choice([-1, 1]))
    _set(info, _CX if rng.random() < 0.5 else _CY, sign * float(rng.choice(_ABSURD)))
    return doubtful(BAD_INFO)


def _distortion_is_no_number(rng: np.random.Generator, info: CameraInfo) -> ExpectedOutcome:
    _bend(rng, info)
    info.d[int(rng.integers(len(info.d)))] = float(rng.choice(_NO_NUMBERS))
    return broken(BAD_INFO)


def _absurd_distortion(rng: np.random.Generator, info: CameraInfo) -> ExpectedOutcome:
    _bend(rng, info)
    count = len(info.d)
    scale = 10.0 ** rng.integers(-1, 309, count)
    info.d = np.where(rng.random(count) < 0.5, rng.choice([-1, 1], count) * scale, 0.0).tolist()
    return doubtful(BAD_INFO)


def _strong_distortion(rng: np.random.Generator, info: CameraInfo) -> ExpectedOutcome:
    _bend(rng, info)
    info.d = rng.normal(0, 5, len(info.d)).tolist()
    return doubtful(BAD_INFO)


def _wrong_number_of_coefficients(rng: np.random.Generator, info: CameraInfo) -> ExpectedOutcome:
    count = int(rng.choice([1, 2, 3, 6, 7, 9, 11, 13, 15, 10_000]))
    info.distortion_model = str(rng.choice(["plumb_bob", "rational_polynomial", "equidistant"]))
    info.d = [0.01] * count
    return broken(BAD_INFO)


def _unknown_lens(rng: np.random.Generator, info: CameraInfo) -> ExpectedOutcome:
    names = ("thin_prism", "mei", "double sphere", "", "\U0001f441", "x" * 10_000)
    info.distortion_model = str(rng.choice(names))
    info.d = [0.1, 0.01, 0.0, 0.0, 0.0]
    return broken(BAD_INFO)


def _without_size(rng: np.random.Generator, info: CameraInfo) -> ExpectedOutcome:
    info.roi = RegionOfInterest()
    name = str(rng.choice(["width", "height"]))
    setattr(info, name, 0)
    return doubtful(BAD_INFO, OTHER_SIZE)


def _of_another_size(rng: np.random.Generator, info: CameraInfo) -> ExpectedOutcome:
    info.roi, info.binning_x, info.binning_y = RegionOfInterest(), 1, 1
    info.width += int(rng.choice([3000, 2**31]))
    info.height += int(rng.integers(0, 3))
    return broken(OTHER_SIZE, BAD_INFO)


def _absurd_binning(rng: np.random.Generator, info: CameraInfo) -> ExpectedOutcome:
    info.binning_x, info.binning_y = map(int, rng.choice([[_MAX, 1], [1, _MAX], [_MAX, _MAX]]))
    return broken(BAD_INFO, OTHER_SIZE)


def _absurd_region(rng: np.random.Generator, info: CameraInfo) -> ExpectedOutcome:
    info.binning_x, info.binning_y = 1, 1
    info.roi = RegionOfInterest(
        x_offset=_MAX, y_offset=_MAX, width=int(rng.choice([1 << 20, _MAX])), height=_MAX
    )
    return broken(BAD_INFO, OTHER_SIZE)


def _absurd_offset(rng: np.random.Generator, info: CameraInfo) -> ExpectedOutcome:
    info.roi.x_offset, info.roi.y_offset = map(int, rng.choice([0, 10_000, _MAX], 2))
    return doubtful(BAD_INFO)


def _random_numbers(rng: np.random.Generator, info: CameraInfo) -> ExpectedOutcome:
    """Set any bits at all, among them denormal numbers and NaN."""
    _bend(rng, info)
    for name in ("d", "k", "p"):
        count = len(getattr(info, name))
        setattr(info, name, np.frombuffer(rng.bytes(8 * count), float).tolist())
    return doubtful(BAD_INFO, UNCALIBRATED)


def _garbage_that_is_not_used(rng: np.random.Generator, info: CameraInfo) -> ExpectedOutcome:
    info.r = np.frombuffer(rng.bytes(72), float)
    info.k[[1, 3, 6, 7, 8]] = float(rng.choice(_NO_NUMBERS))
    info.p[[1, 3, 4, 7, 8, 9, 10, 11]] = float(rng.choice(_NO_NUMBERS))
    return doubtful(BAD_INFO)


def _bend(rng: np.random.Generator, info: CameraInfo) -> None:
    """Give the camera a lens with coefficients."""
    lens = str(rng.choice([name for name, d in LENSES.items() if any(d)]))
    info.distortion_model, info.d = lens, list(LENSES[lens])


_DAMAGES: tuple[Callable[[np.random.Generator, CameraInfo], ExpectedOutcome], ...] = (
    _uncalibrated,
    _focal_length_is_no_number,
    _focal_length_is_negative,
    _only_one_focal_length,
    _absurd_focal_length,
    _principal_point_is_no_number,
    _absurd_principal_point,
    _distortion_is_no_number,
    _absurd_distortion,
    _strong_distortion,
    _wrong_number_of_coefficients,
    _unknown_lens,
    _without_size,
    _of_another_size,
    _absurd_binning,
    _absurd_region,
    _absurd_offset,
    _random_numbers,
    _garbage_that_is_not_used,
)
_OF_THE_LENS = (_distortion_is_no_number, _wrong_number_of_coefficients, _unknown_lens)
