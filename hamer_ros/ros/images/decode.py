"""Decoding of sensor_msgs images to (H, W, 3) uint8 RGB arrays."""

from __future__ import annotations

import sys

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from hamer_ros.hands import Remark
from hamer_ros.ros.images.compressed_format import CompressedFormat
from hamer_ros.ros.images.contrast_stretch import Stretch
from hamer_ros.ros.images.encodings import ENCODINGS, Encoding, find_encoding
from hamer_ros.ros.images.jpeg_png import decode_picture, picture_size
from hamer_ros.ros.message_arrays import to_array


class ImageError(ValueError):
    """An image message that cannot be used; the text says what is wrong and what would be right."""


def decode_image(message: Image, stretch: Stretch | None = None) -> np.ndarray:
    """Decode a raw image; for rgb8 the result is a view of the message's own memory.

    stretch: that of the stream, for 16-bit images; without it each image is stretched by itself.

    Raises:
        ImageError: an empty image, an unknown encoding, a step or an amount of data that does not
            fit the size.
    """
    width, height = image_size(message)
    encoding = find_encoding(message.encoding)
    if encoding is None:
        raise ImageError(f"encoding is '{message.encoding}'; known are: {', '.join(ENCODINGS)}")
    step = _step(message, encoding)
    size = encoding.data_size(step, height)
    data = np.frombuffer(message.data, np.uint8, size)
    is_bigendian = bool(message.is_bigendian)
    return encoding.decode(data, width, height, step, is_bigendian, stretch or Stretch())


def _step(message: Image, encoding: Encoding) -> int:
    """Return the bytes of a row, or of a row of the first plane; checks that all rows are there."""
    name, width, height, step = message.encoding, message.width, message.height, message.step
    if width % encoding.even[0]:
        raise ImageError(f"{name} image is {width} wide; pairs of its pixels share their colour")
    if height % encoding.even[1]:
        raise ImageError(f"{name} image is {height} high; pairs of its rows share their colour")
    row = width * encoding.bytes_per_pixel
    whole, n_bytes = encoding.data_size(row, height), len(message.data)
    if encoding.rows != 1 and step * height == n_bytes == whole:
        return row  # such drivers divide the bytes of all planes by the image's rows
    if step < row:
        raise ImageError(f"step is {step}; {width} pixels of {name} need {row} bytes")
    if encoding.even[1] > 1 and step % 2:
        raise ImageError(f"step is {step}; that of {name} is even")
    if n_bytes < encoding.data_size(step, height):
        planes = "" if encoding.rows == 1 else ", with the planes of colour that height leaves out,"
        needed = encoding.data_size(step, height)
        raise ImageError(f"data has {n_bytes} bytes; {height} rows of {step}{planes} are {needed}")
    return step


MAX_SIDE = 32_766
"""Pixels along a side at most: OpenCV warps no larger image."""
MAX_PIXELS = 100_000_000
"""Pixels of a compressed picture at most: a few kilobytes could unpack to all memory there is."""


def image_size(message: Image | CompressedImage) -> tuple[int, int]:
    """Return width and height in pixels, as the message states them, before anything is decoded.

    Raises:
        ImageError: an empty image, compressed data that does not begin as a JPEG or PNG does, or
            an absurd size.
    """
    if isinstance(message, Image):
        if message.width == 0 or message.height == 0:
            raise ImageError(f"image is {message.width}x{message.height}; it has no pixels")
        return _checked_sides(message.width, message.height)
    if not message.data:
        raise ImageError(f"compressed image of format '{message.format}' has no data")
    size = picture_size(bytes(message.data))
    if size is None:
        raise ImageError(_undecodable(message))
    width, height = size
    if not 0 < width * height <= MAX_PIXELS:
        raise ImageError(
            f"compressed image of format '{message.format}' claims to be {width}x{height}; it may "
            f"have 1 to {MAX_PIXELS} pixels"
        )
    return _checked_sides(width, height)


def _checked_sides(width: int, height: int) -> tuple[int, int]:
    if max(width, height) > MAX_SIDE:
        raise ImageError(f"image is {width}x{height}; a side has at most {MAX_SIDE} pixels")
    return width, height


def odd_size(message: Image) -> Remark | None:
    """Return a remark on surplus data in an image that `decode_image` takes; None without any.

    Bytes after the last row do not matter.  In an encoding with planes they may be rows of padding
    after each plane, which nothing in the message reveals.
    """
    encoding = find_encoding(message.encoding)
    if encoding is None or encoding.rows == 1:
        return None
    needed = encoding.data_size(_step(message, encoding), message.height)
    if len(message.data) == needed:
        return None
    return Remark(
        "more data than planes",
        f"data of this {message.width}x{message.height} {message.encoding} image has "
        f"{len(message.data)} bytes, its planes are {needed}: if the driver fills its planes up to "
        "a multiple of rows, the colours are wrong; let it crop them, or publish rgb8",
    )


def decode_compressed(
    message: CompressedImage,
    stretch: Stretch | None = None,
    size: tuple[int, int] | None = None,
) -> np.ndarray:
    """Decode a JPEG or PNG, and interpret its format as image_transport writes it.

    stretch: that of the stream, for 16-bit pictures; without it each is stretched by itself.
    size: the result of `image_size`, where the caller has it: a PNG's checksums take some
        milliseconds.

    Raises:
        ImageError: no data, data that is not a whole picture, or an absurd size.
    """
    width, height = size or image_size(message)
    picture = decode_picture(bytes(message.data))
    if picture is None or picture.shape[:2] != (height, width):
        raise ImageError(_undecodable(message))
    if picture.dtype == np.uint16:
        picture = (stretch or Stretch())(picture)
    image_format = CompressedFormat.parse(message.format)
    if picture.ndim == 2:
        mosaic = image_format.mosaic()
        return mosaic.to_rgb(picture) if mosaic else cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)
    return (
        picture if image_format.has_swapped_colours() else cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    )


def _undecodable(message: CompressedImage) -> str:
    return (
        f"compressed image of format '{message.format}' ({len(message.data)} bytes) cannot be "
        "decoded; it should be a whole JPEG or PNG"
    )


def encode_rgb(rgb: np.ndarray) -> Image:
    """Return an rgb8 image of (H, W, 3) uint8, without a header."""
    message = Image()
    message.height, message.width = rgb.shape[:2]
    message.encoding = "rgb8"
    message.step = 3 * message.width
    message.is_bigendian = int(sys.byteorder == "big")
    message.data = to_array("B", rgb)
    return message
