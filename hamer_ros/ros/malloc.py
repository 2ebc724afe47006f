"""Large images go back to the system when they are let go of."""

from __future__ import annotations

import ctypes

LARGE = 8 << 20
"""Bytes from which on a block is a mapping of its own: images of a usual camera stay below."""

_M_MMAP_THRESHOLD = -3


def return_large_blocks() -> None:
    """Keep glibc from raising its threshold with every large block that is freed.

    It would serve the next ones from its heaps then, where one small block in the wrong place keeps
    them: a node that sees images of many sizes would grow.  Other C libraries are left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGE)
