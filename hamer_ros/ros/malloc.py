"""A limit of glibc's allocator, so that memory of large images is returned to the system."""

from __future__ import annotations

import ctypes

LARGE = 8 << 20
"""Bytes from which on a block is a mapping of its own: images of usual cameras are smaller."""

_M_MMAP_THRESHOLD = -3


def return_large_blocks() -> None:
    """Keep glibc from raising its mmap threshold with every large block that is freed.

    Large blocks would then come from its heaps, where one small block keeps all memory below it: a
    node that sees images of many sizes would grow.  Other C libraries are left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGE)
