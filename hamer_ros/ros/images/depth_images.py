"""Decoding of depth images, raw and compressed, to metres."""

from __future__ import annotations

import struct

import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from hamer_ros.camera.model import CameraModel
from hamer_ros.ros.images.jpeg_png import decode_picture
from hamer_ros.ros.images.jpeg_png_size import png_size
from hamer_ros.ros.images.rvl import decode_rvl

_MILLIMETRE = 0.001
_KINDS = {
    "16UC1": (np.uint16, _MILLIMETRE),
    "mono16": (np.uint16, _MILLIMETRE),
    "32FC1": (np.float32, 1.0),
}
"""Encoding -> data type, and metres of one unit (REP-118)."""

_FARTHEST = 1e6
"""Metres at most; wrong quantisation can give more than a float32 holds."""
_HEADER = struct.Struct("<iff")
"""The header of compressedDepth: an enumeration with one member, and the quantisation's
parameters."""
_PNG = b"\x89PNG"
_SIZE = struct.Struct("<II")
"""Columns and rows, before the data of RVL."""


class DepthError(ValueError):
    """A depth image that cannot be used.

    reason: a short constant text, under which diagnostics count it.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def decode_depth(message: Image, topic: str, camera: CameraModel) -> np.ndarray:
    """Return the depth (H, W) float32 in metres; 0 or not finite where there is none.

    Raises:
        DepthError: an image of another size than the camera's, or of an unknown encoding.
    """
    _check_size((message.width, message.height), topic, camera)
    kind, unit = _kind(message.encoding, topic)
    row = message.width * np.dtype(kind).itemsize
    if message.step < row or len(message.data) < message.step * message.height:
        raise DepthError(
            "bad depth",
            f"depth on '{topic}' has {len(message.data)} bytes in steps of {message.step}; "
            f"{message.width}x{message.height} {message.encoding} needs {row * message.height}",
        )
    data = np.frombuffer(message.data, np.uint8, message.step * message.height)
    rows = np.ascontiguousarray(data.reshape(message.height, message.step)[:, :row])
    values = rows.view(np.dtype(kind).newbyteorder(">" if message.is_bigendian else "<"))
    return values.astype(np.float32) * np.float32(unit)


def decode_compressed_depth(
    message: CompressedImage, topic: str, camera: CameraModel
) -> np.ndarray:
    """Return the depth (H, W) float32 in metres of a compressedDepth image; 0 where there is none.

    Its format is ``ENCODING; compressedDepth CODEC`` with the codec png (the default) or rvl.  The
    data begin with a header.  16UC1 is millimetres; 32FC1 is quantised: a value q stands for
    a / (q - b) metres, with a and b from the header.

    Raises:
        DepthError: an image of another size than the camera's, of an unknown encoding or codec, or
            with broken data.
    """
    encoding, _, transport = message.format.partition(";")
    encoding, codec = encoding.strip(), transport.split()[1:] or ["png"]
    kind, unit = _kind(encoding or "16UC1", topic)
    data = bytes(message.data)
    # Programs that write such messages themselves leave the header out.
    has_header = not data.startswith(_PNG)
    if has_header and len(data) < _HEADER.size:
        raise _broken(message, topic, f"its header has {_HEADER.size}")
    body = data[_HEADER.size :] if has_header else data
    if codec == ["png"]:
        values = _png(message, body, topic, camera)
    elif codec == ["rvl"]:
        values = _rvl(message, body, topic, camera)
    else:
        raise DepthError(
            "bad depth",
            f"depth on '{topic}' is '{message.format}'; known codecs are: png, rvl",
        )
    if kind is np.uint16:
        return values.astype(np.float32) * np.float32(unit)
    a, b = _HEADER.unpack(data[: _HEADER.size])[1:] if has_header else (0.0, 0.0)
    if not (np.isfinite(a) and np.isfinite(b) and a > 0):
        raise DepthError(
            "bad depth",
            f"depth on '{topic}' is '{message.format}', but its header does not tell how it was "
            f"quantised: a is {a:g}, b is {b:g}",
        )
    return _from_quantised(values, a, b)


def _from_quantised(values: np.ndarray, a: float, b: float) -> np.ndarray:
    """Return the metres of quantised values by a table of all 65536: an image has more pixels."""
    inverse = np.arange(2.0**16) - b
    metres = np.divide(a, inverse, out=np.zeros_like(inverse), where=inverse > 0)
    metres[0] = 0
    metres[metres > _FARTHEST] = 0
    return metres.astype(np.float32)[values]


def _png(message: CompressedImage, data: bytes, topic: str, camera: CameraModel) -> np.ndarray:
    size = png_size(data)
    if size is None:
        raise _broken(message, topic, "they should be a header of 12 and a whole PNG")
    _check_size(size, topic, camera)
    values = decode_picture(data)
    if values is None or values.ndim != 2 or values.dtype != np.uint16:
        raise _broken(message, topic, "the PNG should be of one channel of 16 bits")
    return values


def _rvl(message: CompressedImage, data: bytes, topic: str, camera: CameraModel) -> np.ndarray:
    values = None
    if len(data) >= _SIZE.size:
        _check_size(_SIZE.unpack(data[: _SIZE.size]), topic, camera)
        values = decode_rvl(data[_SIZE.size :], camera.width * camera.height)
    if values is None:
        raise _broken(message, topic, "they should be a header of 12, the size and RVL's code")
    return values.reshape(camera.height, camera.width)


def _check_size(size: tuple[int, ...], topic: str, camera: CameraModel) -> None:
    if size != (camera.width, camera.height):
        raise DepthError(
            "depth of another size",
            f"depth on '{topic}' is {size[0]}x{size[1]}, the image "
            f"{camera.width}x{camera.height}; use the depth that the driver aligns to it",
        )


def _kind(encoding: str, topic: str) -> tuple[type, float]:
    if encoding not in _KINDS:
        raise DepthError(
            "bad depth",
            f"depth on '{topic}' is '{encoding}'; known are: {', '.join(_KINDS)}",
        )
    return _KINDS[encoding]


def _broken(message: CompressedImage, topic: str, right: str) -> DepthError:
    return DepthError(
        "bad depth",
        f"depth on '{topic}' of format '{message.format}' has {len(message.data)} bytes that "
        f"cannot be decoded; {right}",
    )
