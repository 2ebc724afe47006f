"""Placement of labels in an image so that none covers another."""

from __future__ import annotations

Box = tuple[int, int, int, int]
"""Left, top, right and bottom, pixels."""

_STEP = 4


def raised(box: Box, taken: list[Box]) -> Box:
    """The box, moved up until it covers none of those taken, as far as the image goes up."""
    left, top, right, bottom = box
    while top >= _STEP and any(_overlap((left, top, right, bottom), other) for other in taken):
        top, bottom = top - _STEP, bottom - _STEP
    return left, top, right, bottom


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
