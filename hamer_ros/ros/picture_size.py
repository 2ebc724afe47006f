"""How large a JPEG or PNG is, read from its header: a decoder takes memory before it looks."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of frame headers; those left out are of tables."""
_ENDS = frozenset((0xD9, 0xDA))
"""Markers of the image's end and of the scan, before which the frame header must have come."""
_ALONE = frozenset((0x00, 0x01, *range(0xD0, 0xD9)))
"""Markers that no segment follows."""


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
    if content[:3] != b"\xff\xd8\xff":
        return None
    at = 2
    # Decoders skip what lies between segments, and so may a broken length.
    while 0 <= (at := content.find(b"\xff", at)) <= len(content) - 9:
        marker = content[at + 1]
        if marker in _FRAMES:
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return (width, height) if width * height <= _PIXELS_PER_BYTE * len(content) else None
        if marker in _ENDS:
            return None
        if marker == 0xFF:
            at += 1
        elif marker in _ALONE:
            at += 2
        else:
            at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return None
