"""How large a JPEG or PNG is, read from its header: a decoder takes memory before it looks."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

from hamer_ros.ros.jpeg_segments import FRAMES, segments

_PIXELS_PER_BYTE = 8 * 64
"""At most, in a JPEG: a block of 8x8 pixels takes a bit at least, of a Huffman code (F.1.2)."""


def png_size(data: Sequence[int]) -> tuple[int, int] | None:
    """Of a PNG whose chunks are whole (ISO/IEC 15948, 5.3): decoders trust their lengths."""
    view = memoryview(data)  # type: ignore[arg-type]
    if bytes(view[:8]) != b"\x89PNG\r\n\x1a\n":
        return None
    size, at = None, 8
    while at + 12 <= len(view):
        length = int.from_bytes(view[at : at + 4], "big")
        end = at + 8 + length
        kind = bytes(view[at + 4 : at + 8])
        if zlib.crc32(view[at + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            return None
        if kind == b"IEND":
            return size
        if size is None:
            if kind != b"IHDR" or length != 13:
                return None
            width, height = struct.unpack(">II", view[at + 8 : at + 16])
            size = width, height
        at = end + 4
    return None


def jpeg_size(data: Sequence[int]) -> tuple[int, int] | None:
    """Of the frame header, before which other segments may stand (ITU T.81, B.1 and B.2).

    None as well where the data are too few for that size: decoders paint the rest grey.
    """
    content = bytes(data)
    for marker, at in segments(content):
        if marker in FRAMES:
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return (width, height) if width * height <= _PIXELS_PER_BYTE * len(content) else None
    return None
