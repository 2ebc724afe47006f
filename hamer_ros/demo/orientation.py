"""Exif orientations of pictures that are stored sideways, and of their intrinsics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hamer_ros.camera.model import CameraError, CameraModel

UPRIGHT = 1
"""Exif's orientation of a picture that is stored upright."""

TELEPHONE = 6
"""Exif's orientation of a picture by a phone that is held upright."""

# Orientation -> (the stored picture is flipped left to right, then clockwise quarter turns); the
# likely ones first, for a picture that looks the same in several of them.
_STEPS = {
    UPRIGHT: (False, 0),
    TELEPHONE: (False, 1),
    8: (False, 3),
    3: (False, 2),
    2: (True, 0),
    4: (True, 2),
    5: (True, 3),
    7: (True, 1),
}


def orientation_of(stored: np.ndarray, upright: np.ndarray) -> int:
    """Return Exif's orientation with which a stored picture (H, W, 3) became an upright one."""
    for orientation, (is_flipped, turns) in _STEPS.items():
        turned = np.rot90(stored[:, ::-1] if is_flipped else stored, -turns)
        if np.array_equal(turned, upright):
            return orientation
    return UPRIGHT


def camera_of_picture(
    camera: CameraModel,
    is_sized: bool,
    width: int,
    height: int,
    orientations: frozenset[int] | None,
) -> CameraModel:
    """Return the camera of an upright picture of width x height pixels.

    camera: that of the sensor, or of the upright picture.
    is_sized: its size counts; otherwise the principal point shows which of the two it is.
    orientations: Exif's, that the picture may have; None where nothing is known.

    Raises:
        CameraError: it is of another size, or it cannot be known how to turn it.
    """
    is_guess = orientations is None
    orientations = frozenset({UPRIGHT, TELEPHONE}) if orientations is None else orientations
    sideways = frozenset(o for o in orientations if _STEPS[o][1] % 2)
    is_square = width == height
    if is_sized:
        is_sideways = (camera.width, camera.height) == (height, width)
        if is_square:
            is_sideways = is_sideways and orientations == sideways
        if (camera.width, camera.height) != (width, height) and not (is_sideways and sideways):
            raise CameraError(
                f"intrinsics are for images of {camera.width}x{camera.height}, this one is "
                f"{width}x{height}"
            )
    else:
        offset, offset_sideways = (
            _offset_from_centre(camera, width, height),
            _offset_from_centre(camera, height, width),
        )
        if is_guess:
            offset_sideways *= 2.0
        is_sideways = offset_sideways < offset or (is_square and orientations == sideways)
    if is_sideways and sideways:
        camera, candidates = replace(camera, width=height, height=width), sideways
    else:
        camera, candidates = replace(camera, width=width, height=height), orientations - sideways
    cameras = {_turned(camera, orientation) for orientation in candidates} or {camera}
    if len(cameras) > 1:
        listed = " and ".join(str(orientation) for orientation in sorted(candidates))
        raise CameraError(
            f"the pictures are turned in several ways (Exif orientations {listed}), so these "
            "intrinsics do not tell the camera of each; play them one by one"
        )
    return cameras.pop()


def _offset_from_centre(camera: CameraModel, width: int, height: int) -> float:
    """Return the distance of the principal point from the centre, as a share of the image."""
    return abs(camera.cx / width - 0.5) + abs(camera.cy / height - 0.5)


def _turned(camera: CameraModel, orientation: int) -> CameraModel:
    is_flipped, turns = _STEPS[orientation]
    if is_flipped:
        camera = camera.mirrored()
    for _ in range(turns):
        camera = camera.turned()
    return camera
