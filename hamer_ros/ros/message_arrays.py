"""Conversion of numpy arrays to the arrays of ROS messages, without a Python object per element."""

from __future__ import annotations

from array import array

import numpy as np

_TYPES = {"f": np.float32, "I": np.uint32, "b": np.int8, "B": np.uint8}


def to_array(code: str, values: np.ndarray) -> array:
    """Return the values, flattened, as an ``array.array`` of a type code.

    rclpy takes such an array as it is, which is sixty times faster than assigning a numpy array
    to a field of unbounded length (3 against 194 microseconds for 2334 floats).
    """
    filled = array(code)
    filled.frombytes(np.ascontiguousarray(values, _TYPES[code]).tobytes())
    return filled


def to_fixed(values: np.ndarray) -> np.ndarray:
    """Return the values, flattened, for a float32 field of fixed length: a numpy array."""
    return np.ascontiguousarray(values, np.float32).reshape(-1)
