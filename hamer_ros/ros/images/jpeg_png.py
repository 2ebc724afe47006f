"""Decoding of JPEG and PNG that refuses incomplete data."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from hamer_ros.ros.images.jpeg_png_size import jpeg_size, png_size
from hamer_ros.ros.images.jpeg_segments import scans

# The camera's intrinsics hold for the pixels as they were stored, whatever Exif says.
_FLAGS = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION

_END = b"\xff\xd9"
_SHORT_FILLER = 16 * b"\xaa"
"""More bytes than a decoder reads beyond the last that it needs."""
_LONG_FILLER = 1600 * b"\xaa" + b"".join(
    bytes((0xFF, 0xD0 + k)) + 50 * b"\x5c\xa7" for k in range(8)
)
"""Bytes that complete any block, and again behind restart markers of every number."""


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height of a JPEG or PNG from its header; None if it is neither."""
    return png_size(data) or jpeg_size(data)


def decode_picture(data: bytes) -> np.ndarray | None:
    """Return (H, W) or, as BGR, (H, W, 3), uint8 or uint16; None if it is not a whole picture."""
    if data[:2] == b"\xff\xd8":
        jpeg = scans(data)
        if not jpeg.ended:
            return _decode_without_end(data, jpeg.single) if jpeg.complete else None
    return _decode(data)


def _decode_without_end(data: bytes, single_scan: bool) -> np.ndarray | None:
    """Decode a JPEG that lacks its end marker and nothing else; None if more is missing.

    Decoders fill what is missing with grey, or decode the bytes that follow.  A picture is whole if
    the bytes that follow make no difference.
    """
    filled = data[: len(data.rstrip(b"\0")) + 1]  # fixed buffers pad; a code may end in 0
    if filled.endswith(b"\xff"):  # half of the end marker
        filled = filled[:-1]
    # With an end marker behind other bytes libjpeg warns on stderr for each picture.  A single scan
    # can be decoded without one.
    is_short = single_scan and _refuses_truncated_jpeg()
    other = _decode(filled + (_SHORT_FILLER if is_short else _LONG_FILLER + _END))
    if other is None:
        return None
    picture = _decode(filled + _END)
    return picture if picture is not None and np.array_equal(picture, other) else None


@lru_cache
def _refuses_truncated_jpeg() -> bool:
    """True if this OpenCV refuses a truncated JPEG; older versions fill in the rest."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    whole = bytes(cv2.imencode(".jpg", noise)[1])
    return _decode(whole[: len(whole) // 2]) is None


def _decode(data: bytes) -> np.ndarray | None:
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), _FLAGS)
    except cv2.error:
        return None
