"""The size of a JPEG or PNG from its header: decoders allocate memory before they check it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

from hamer_ros.ros.images.jpeg_segments import FRAMES, segments

_PIXELS_PER_BYTE = 8 * 64
"""Pixels per byte of a JPEG at most: a block of 8x8 pixels takes at least one bit (F.1.2)."""


def png_size(data: Sequence[int]) -> tuple[int, int] | None:
    """Return width and height of a PNG; None unless all its chunks are whole.

    Decoders trust the lengths of chunks (ISO/IEC 15948, 5.3).
    """
    view = memoryview(data)  # type: ignore[arg-type]
    if bytes(view[:8]) != b"\x89PNG\r\n\x1a\n":
        return None
    size, position = None, 8
    while position + 12 <= len(view):
        length = int.from_bytes(view[position : position + 4], "big")
        end = position + 8 + length
        kind = bytes(view[position + 4 : position + 8])
        if zlib.crc32(view[position + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            return None
        if kind == b"IEND":
            return size
        if size is None:
            if kind != b"IHDR" or length != 13:
                return None
            width, height = struct.unpack(">II", view[position + 8 : position + 16])
            size = width, height
        position = end + 4
    return None


def jpeg_size(data: Sequence[int]) -> tuple[int, int] | None:
    """Return width and height from a JPEG's frame header, before which other segments may stand.

    None as well where the data are too few for that size, because decoders fill the rest with grey
    (ITU T.81, B.1 and B.2).
    """
    content = bytes(data)
    for marker, position in segments(content):
        if marker in FRAMES:
            height, width = struct.unpack(">HH", content[position + 5 : position + 9])
            return (width, height) if width * height <= _PIXELS_PER_BYTE * len(content) else None
    return None
