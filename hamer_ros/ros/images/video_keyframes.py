"""Detection of keyframes, the images of a video that need no other, from the bytes of a packet."""

from __future__ import annotations

import re
from collections.abc import Iterator

_START = re.compile(rb"\x00\x00\x01")


def _units(data: bytes) -> Iterator[int]:
    """Yield the first byte of each NAL unit of H.264 and H.265, behind its start code (annex B)."""
    return (data[m.end()] for m in _START.finditer(data) if m.end() < len(data))


def h264_keyframe(data: bytes) -> bool:
    """True if there is a slice of an IDR picture (Rec. H.264, table 7-1)."""
    return any(first & 0x1F == 5 for first in _units(data))


def h265_keyframe(data: bytes) -> bool:
    """True if there is a slice of an IRAP picture (Rec. H.265, table 7-1)."""
    return any(16 <= first >> 1 & 0x3F <= 23 for first in _units(data))


def av1_keyframe(data: bytes) -> bool:
    """True if there is a sequence header, which precedes every keyframe (AV1, 7.5)."""
    at = 0
    while at < len(data):
        kind, extended, sized = data[at] >> 3 & 0x0F, data[at] >> 2 & 1, data[at] >> 1 & 1
        if kind == 1:
            return True
        at += 1 + extended
        if not sized:
            return False
        length = shift = 0
        while at < len(data) and shift < 56:  # little-endian base 128 (4.10.5)
            length |= (data[at] & 0x7F) << shift
            shift += 7
            at += 1
            if not data[at - 1] & 0x80:
                break
        at += length
    return False


def vp9_keyframe(data: bytes) -> bool:
    """True if the frame_type of the uncompressed header is KEY_FRAME (VP9, 6.2)."""
    if not data or data[0] >> 6 != 0b10:
        return False
    has_reserved_bit = data[0] >> 4 & 0b11 == 0b11
    after_profile = data[0] << (1 if has_reserved_bit else 0)
    return not after_profile & 0b1000 and not after_profile & 0b0100
