"""The camera of the images that are played: known, given by the user, or guessed."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from hamer_ros.camera import CameraError, CameraModel

GUESSED_FOV = 60.0
"""Degrees from left to right, about that of a telephone's or a laptop's camera."""

CameraOfSize = Callable[[int, int], CameraModel]
"""(width, height) of an image in pixels -> its camera; raises CameraError."""


def parse_camera(text: str | None) -> CameraOfSize:
    """Understand the user's option.

    text: ``fx,fy,cx,cy`` in pixels, the path of a calibration file of ROS' camera_calibration, or
        None for a guess.

    Raises:
        CameraError: neither four numbers nor a file with a usable calibration.
    """
    if text is None:
        return lambda width, height: CameraModel.from_fov(width, height, math.radians(GUESSED_FOV))
    if Path(text).is_file():
        calibrated = CameraModel.from_yaml(text)
        return lambda width, height: _of_size(calibrated, width, height, text)
    try:
        fx, fy, cx, cy = (float(part) for part in text.split(","))
    except ValueError:
        raise CameraError(
            f"camera '{text}' is neither fx,fy,cx,cy (four numbers, pixels) nor a calibration file"
        ) from None
    CameraModel(1, 1, fx, fy, cx, cy)  # complains now, not when the first image is played
    return lambda width, height: CameraModel(width, height, fx, fy, cx, cy)


def _of_size(camera: CameraModel, width: int, height: int, path: str) -> CameraModel:
    if (camera.width, camera.height) != (width, height):
        raise CameraError(
            f"{path} is for images of {camera.width}x{camera.height}, this one is {width}x{height}"
        )
    return camera
