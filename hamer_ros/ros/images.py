"""sensor_msgs images -> (H, W, 3) uint8 RGB arrays."""

from __future__ import annotations

import sys
from collections.abc import Callable

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from hamer_ros.ros.arrays import to_array


class ImageError(ValueError):
    """An image message cannot be used; the text says what is wrong and what would be right."""


def _convert(code: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda pixels: cv2.cvtColor(pixels, code)


def _as_it_is(pixels: np.ndarray) -> np.ndarray:
    return pixels


def _mono16(pixels: np.ndarray) -> np.ndarray:
    """Show the highest 8 bits in use: cameras of 10 or 12 bits publish mono16 as well."""
    shift = max(int(pixels.max()).bit_length() - 8, 0)
    return cv2.cvtColor((pixels >> shift).astype(np.uint8), cv2.COLOR_GRAY2RGB)


# ROS names a Bayer pattern by its first row, OpenCV by the second row's second and third pixel.
_ENCODINGS: dict[str, tuple[int, type, Callable[[np.ndarray], np.ndarray]]] = {
    "rgb8": (3, np.uint8, _as_it_is),
    "bgr8": (3, np.uint8, _convert(cv2.COLOR_BGR2RGB)),
    "rgba8": (4, np.uint8, _convert(cv2.COLOR_RGBA2RGB)),
    "bgra8": (4, np.uint8, _convert(cv2.COLOR_BGRA2RGB)),
    "8UC3": (3, np.uint8, _convert(cv2.COLOR_BGR2RGB)),
    "mono8": (1, np.uint8, _convert(cv2.COLOR_GRAY2RGB)),
    "8UC1": (1, np.uint8, _convert(cv2.COLOR_GRAY2RGB)),
    "mono16": (1, np.uint16, _mono16),
    "16UC1": (1, np.uint16, _mono16),
    "yuv422": (2, np.uint8, _convert(cv2.COLOR_YUV2RGB_UYVY)),
    "uyvy": (2, np.uint8, _convert(cv2.COLOR_YUV2RGB_UYVY)),
    "yuv422_yuy2": (2, np.uint8, _convert(cv2.COLOR_YUV2RGB_YUY2)),
    "yuyv": (2, np.uint8, _convert(cv2.COLOR_YUV2RGB_YUY2)),
    "bayer_rggb8": (1, np.uint8, _convert(cv2.COLOR_BayerBG2RGB)),
    "bayer_bggr8": (1, np.uint8, _convert(cv2.COLOR_BayerRG2RGB)),
    "bayer_gbrg8": (1, np.uint8, _convert(cv2.COLOR_BayerGR2RGB)),
    "bayer_grbg8": (1, np.uint8, _convert(cv2.COLOR_BayerGB2RGB)),
}
"""Encoding -> channels, their type, and the way to RGB."""

ENCODINGS = tuple(_ENCODINGS)


def decode_image(message: Image) -> np.ndarray:
    """Decode a raw image; for rgb8 the result is a view of the message's own memory.

    Raises:
        ImageError: an empty image, an unknown encoding, a step or an amount of data that does not
            fit the size.
    """
    width, height, step = message.width, message.height, message.step
    if width == 0 or height == 0:
        raise ImageError(f"image is {width}x{height}; it has no pixels")
    if message.encoding not in _ENCODINGS:
        raise ImageError(f"encoding is '{message.encoding}'; known are: {', '.join(ENCODINGS)}")
    channels, kind, to_rgb = _ENCODINGS[message.encoding]
    if channels == 2 and width % 2:
        raise ImageError(f"{message.encoding} image is {width} wide; a 4:2:2 width is even")
    row = width * channels * np.dtype(kind).itemsize
    if step < row:
        raise ImageError(f"step is {step}; {width} pixels of {message.encoding} need {row} bytes")
    if len(message.data) < step * height:
        raise ImageError(
            f"data has {len(message.data)} bytes; {height} rows of {step} are {step * height}"
        )
    data = np.frombuffer(message.data, np.uint8, step * height).reshape(height, step)[:, :row]
    pixels: np.ndarray = np.ascontiguousarray(data).view(kind)
    if kind is np.uint16 and bool(message.is_bigendian) != (sys.byteorder == "big"):
        pixels = pixels.byteswap()
    if channels > 1:
        pixels = pixels.reshape(height, width, channels)
    return to_rgb(pixels)


def decode_compressed(message: CompressedImage) -> np.ndarray:
    """Decode a JPEG, PNG or whatever else OpenCV reads.

    Raises:
        ImageError: no data, or data that is not a whole picture.
    """
    if not message.data:
        raise ImageError(f"compressed image of format '{message.format}' has no data")
    data = np.frombuffer(message.data, np.uint8)
    # The camera's intrinsics hold for the pixels as they were stored, whatever Exif says.
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        bgr = cv2.imdecode(data, flags)
    except cv2.error:
        bgr = None
    if bgr is None:
        raise ImageError(
            f"compressed image of format '{message.format}' ({len(data)} bytes) cannot be decoded; "
            "it should be a whole JPEG or PNG"
        )
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def encode_rgb(rgb: np.ndarray) -> Image:
    """(H, W, 3) uint8 -> an rgb8 image without header."""
    message = Image()
    message.height, message.width = rgb.shape[:2]
    message.encoding = "rgb8"
    message.step = 3 * message.width
    message.is_bigendian = int(sys.byteorder == "big")
    message.data = to_array("B", rgb)
    return message
