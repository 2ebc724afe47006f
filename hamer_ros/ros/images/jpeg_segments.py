"""The segments of a JPEG, and whether its scans are complete (ITU T.81, annex B)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of frame headers; those left out are of tables."""
_SCAN, _END = 0xDA, 0xD9
_WITHOUT_SEGMENT = frozenset((0x00, 0x01, *range(0xD0, 0xD9)))
"""Markers that no segment follows."""
_AFTER_A_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""A marker within entropy-coded data: neither a stuffed byte nor a restart nor padding."""


def segments(content: bytes, past_first_scan: bool = False) -> Iterator[tuple[int, int]]:
    """Yield marker and position of each segment, and of the end of the image.

    It stops at the end of the image or of the data, and after the first scan unless past_first_scan
    is set.  A segment with less than nine bytes of data left is not yielded.
    """
    if content[:3] != b"\xff\xd8\xff":
        return
    position = 2
    # Decoders skip what lies between segments, and so may a broken length.
    while 0 <= (position := content.find(b"\xff", position)) < len(content) - 1:
        marker = content[position + 1]
        if marker == 0xFF:
            position += 1
        elif marker in _WITHOUT_SEGMENT:
            position += 2
        elif marker == _END:
            yield marker, position
            return
        else:
            if position > len(content) - 9:
                return
            yield marker, position
            if marker == _SCAN and not past_first_scan:
                return
            position += 2 + int.from_bytes(content[position + 2 : position + 4], "big")
            if marker == _SCAN:
                found = _AFTER_A_SCAN.search(content, position)
                position = found.start() if found else len(content)


@dataclass(frozen=True)
class Scans:
    """The completeness of a JPEG's scans.

    ended: the end marker of the image stands behind them.
    complete: every coefficient of every component is in some scan, to its last bit.
    single: the image is sequential, and one scan holds it all.
    """

    ended: bool
    complete: bool
    single: bool


def scans(content: bytes) -> Scans:
    """Return the completeness of the scans up to the end of the image or of the data."""
    missing: set[tuple[int, int]] = set()
    count, ended, sequential = 0, False, False
    for marker, position in segments(content, past_first_scan=True):
        if marker in FRAMES:
            length = int.from_bytes(content[position + 2 : position + 4], "big")
            sequential = marker in (0xC0, 0xC1)
            components = content[position + 10 : position + 2 + length : 3]
            missing = {(c, k) for c in components for k in range(64)}
        elif marker == _SCAN:
            count += 1
            end = position + 5 + 2 * content[position + 4]
            first, last, bits = content[end : end + 3].ljust(3, b"\xff")
            if bits & 0x0F == 0:
                missing -= {
                    (c, k) for c in content[position + 5 : end : 2] for k in range(first, last + 1)
                }
        else:
            ended = ended or marker == _END
    return Scans(ended, not missing, sequential and count == 1)
