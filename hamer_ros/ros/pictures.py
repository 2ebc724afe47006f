"""JPEG and PNG as arrays, if they are whole; not every decoder of others bears broken data."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from hamer_ros.ros.jpeg_segments import scans
from hamer_ros.ros.picture_size import jpeg_size, png_size

# The camera's intrinsics hold for the pixels as they were stored, whatever Exif says.
_FLAGS = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION

_END = b"\xff\xd9"
_FEW = 16 * b"\xaa"
"""More bytes than a decoder wants to see behind the last that it needs."""
_MANY = 1600 * b"\xaa" + b"".join(bytes((0xFF, 0xD0 + k)) + 50 * b"\x5c\xa7" for k in range(8))
"""Enough for any block, and again behind restart markers of every number."""


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a JPEG or PNG before it is decoded; None where it is neither."""
    return png_size(data) or jpeg_size(data)


def decode_picture(data: bytes) -> np.ndarray | None:
    """(H, W) or, as BGR, (H, W, 3), uint8 or uint16; None where it is no whole picture."""
    if data[:2] == b"\xff\xd8":
        known = scans(data)
        if not known.ended:
            return _without_end(data, known.single) if known.complete else None
    return _decode(data)


def _without_end(data: bytes, single_scan: bool) -> np.ndarray | None:
    """Of a JPEG whose mark of the end is missing, and nothing else.

    Decoders paint what is missing: grey, or what follows.  A picture is whole if what follows does
    not matter.
    """
    filled = data[: len(data.rstrip(b"\0")) + 1]  # buffers have a fixed size; a code may end so
    if filled.endswith(b"\xff"):  # half of the mark of the end
        filled = filled[:-1]
    # With a mark behind other bytes libjpeg writes a warning to stderr, for each picture.  One scan
    # can be decoded without that mark.
    few = single_scan and _bears_no_cut()
    other = _decode(filled + (_FEW if few else _MANY + _END))
    if other is None:
        return None
    picture = _decode(filled + _END)
    return picture if picture is not None and np.array_equal(picture, other) else None


@lru_cache
def _bears_no_cut() -> bool:
    """Tell whether this OpenCV refuses a JPEG that is cut; older ones make up the rest."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    whole = bytes(cv2.imencode(".jpg", noise)[1])
    return _decode(whole[: len(whole) // 2]) is None


def _decode(data: bytes) -> np.ndarray | None:
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), _FLAGS)
    except cv2.error:
        return None
