"""The segments of a JPEG, and what they tell about its end (ITU T.81, annex B)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of frame headers; those left out are of tables."""
_SCAN, _END = 0xDA, 0xD9
_ALONE = frozenset((0x00, 0x01, *range(0xD0, 0xD9)))
"""Markers that no segment follows."""
_AFTER_A_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""A marker, among entropy-coded data; neither a stuffed byte, a restart nor filling."""


def segments(content: bytes, beyond_the_first_scan: bool = False) -> Iterator[tuple[int, int]]:
    """Markers and where they stand, of those that head a segment or end the image.

    It ends with the image, where the data end, and with the first scan unless told to go on.  No
    segment that the data hold less than nine bytes of is told.
    """
    if content[:3] != b"\xff\xd8\xff":
        return
    at = 2
    # Decoders skip what lies between segments, and so may a broken length.
    while 0 <= (at := content.find(b"\xff", at)) < len(content) - 1:
        marker = content[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker == _END:
            yield marker, at
            return
        else:
            if at > len(content) - 9:
                return
            yield marker, at
            if marker == _SCAN and not beyond_the_first_scan:
                return
            at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
            if marker == _SCAN:
                found = _AFTER_A_SCAN.search(content, at)
                at = found.start() if found else len(content)


@dataclass(frozen=True)
class Scans:
    """What the segments of a JPEG tell about its scans.

    ended: the mark of the image's end stands behind them.
    complete: every coefficient of every component is in some scan, to its last bit.
    single: the image is sequential, and one scan holds it all.
    """

    ended: bool
    complete: bool
    single: bool


def scans(content: bytes) -> Scans:
    """Follow the segments to the end of the image, or of the data."""
    wanted: set[tuple[int, int]] = set()
    count, ended, sequential = 0, False, False
    for marker, at in segments(content, beyond_the_first_scan=True):
        if marker in FRAMES:
            length = int.from_bytes(content[at + 2 : at + 4], "big")
            sequential = marker in (0xC0, 0xC1)
            components = content[at + 10 : at + 2 + length : 3]
            wanted = {(c, k) for c in components for k in range(64)}
        elif marker == _SCAN:
            count += 1
            end = at + 5 + 2 * content[at + 4]
            first, last, bits = content[end : end + 3].ljust(3, b"\xff")
            if bits & 0x0F == 0:
                wanted -= {
                    (c, k) for c in content[at + 5 : end : 2] for k in range(first, last + 1)
                }
        else:
            ended = ended or marker == _END
    return Scans(ended, not wanted, sequential and count == 1)
