"""The camera of the played images: known, given by the user, or guessed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

from hamer_ros.camera.calibration_files import read_calibration
from hamer_ros.camera.model import GUESS_SIGMA, CameraError, CameraModel
from hamer_ros.demo.orientation import camera_of_picture

GUESSED_FOV = 60.0
"""Degrees from left to right, about that of a phone's or a laptop's camera."""

CameraOfSize = Callable[[int, int], CameraModel]
"""(width, height) of an image in pixels -> its camera; raises CameraError."""


def parse_camera(text: str | None, orientations: frozenset[int] | None = None) -> CameraOfSize:
    """Return the camera for images of any size that an option of the user describes.

    text: ``fx,fy,cx,cy`` in pixels, the path of a calibration file (`read_calibration`), or None
        for a guess.
    orientations: Exif's, of the pictures to come, with which intrinsics of the sensor are turned.
        Where they are not known, size or principal point show whether a picture was turned, and it
        is taken for one by a phone held upright.

    Raises:
        CameraError: neither four numbers nor a file with a usable calibration.
    """
    if text is None:
        fov = math.radians(GUESSED_FOV)
        return lambda width, height: CameraModel.from_fov(width, height, fov, GUESS_SIGMA)
    is_number = re.fullmatch(r"[-+.\d]+", text) is not None
    if ("," in text or is_number) and not Path(text).exists():
        camera, is_sized, name = _of_numbers(text), False, "camera"
    else:
        calibration = read_calibration(text)
        camera, is_sized, name = calibration.camera, calibration.is_sized, text

    def of_size(width: int, height: int) -> CameraModel:
        try:
            return camera_of_picture(camera, is_sized, width, height, orientations)
        except CameraError as error:
            raise CameraError(f"{name}: {error}") from error

    return of_size


def _of_numbers(text: str) -> CameraModel:
    """Return the camera of four numbers, its size about twice its principal point."""
    try:
        fx, fy, cx, cy = (float(part) for part in text.split(","))
    except ValueError:
        raise CameraError(
            f"camera '{text}' is neither fx,fy,cx,cy (four numbers, pixels) nor a calibration file"
        ) from None
    CameraModel(1, 1, fx, fy, cx, cy)  # raises for numbers that are not finite
    return CameraModel(max(1, round(2 * cx)), max(1, round(2 * cy)), fx, fy, cx, cy)
