"""Decoding of RVL, a lossless code for depth images.

A. D. Wilson, "Fast Lossless Depth Image Compression", 2017.  Numbers are written as groups of
nibbles: three bits, lowest first, and one that is set if more follow.  The image is runs of a
number of zeros, a number of other values, and of each of these its difference from the one before,
with the sign in the lowest bit.
"""

from __future__ import annotations

import numpy as np

_LARGEST_GROUP = 11
"""Nibbles of a 32-bit number."""


def decode_rvl(data: bytes, pixels: int) -> np.ndarray | None:
    """Return (pixels,) uint16; None where the data do not hold exactly so many."""
    numbers = _numbers(data)
    out = np.zeros(pixels, np.uint16)
    begins, counts, differences = [], [], []
    position = filled = 0
    listed = numbers.tolist()
    while filled < pixels:
        if position + 2 > len(listed):
            return None
        zeros, others = listed[position], listed[position + 1]
        position += 2
        filled += zeros
        if others:
            begins.append(filled)
            counts.append(others)
            differences.append(numbers[position : position + others])
            filled += others
            position += others
        elif not zeros:
            return None  # an empty run, which would repeat for ever
        if filled > pixels or position > len(listed):
            return None
    if begins:
        coded = np.concatenate(differences)
        values = np.cumsum((coded >> 1) ^ -(coded & 1))
        lengths = np.array(counts)
        firsts = np.cumsum(lengths) - lengths
        indices = np.arange(len(values)) + np.repeat(np.array(begins) - firsts, lengths)
        out[indices] = values & 0xFFFF
    return out


def _numbers(data: bytes) -> np.ndarray:
    """Return all numbers (N,) int64; what follows the last whole one is left out.

    Nibbles lie in words of 32 bits, lowest byte first, and in each byte the highest nibble first.
    """
    words = np.frombuffer(data, np.uint8, len(data) // 4 * 4).reshape(-1, 4)[:, ::-1]
    nibbles = np.stack([words >> 4, words & 0x0F], -1).reshape(-1).astype(np.int64)
    ends = np.flatnonzero(nibbles < 8)
    if not len(ends):
        return np.zeros(0, np.int64)
    begins = np.concatenate([[0], ends[:-1] + 1])
    nibbles = nibbles[: ends[-1] + 1]
    digit = np.arange(len(nibbles)) - np.repeat(begins, ends - begins + 1)
    shifted = (nibbles & 7) << np.minimum(3 * digit, 3 * _LARGEST_GROUP)
    return np.add.reduceat(shifted, begins) & 0x7FFFFFFF
