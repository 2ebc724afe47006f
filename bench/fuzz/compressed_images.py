"""Compressed images, sound and broken: JPEG and PNG, cut, corrupted, or claiming to be huge."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage

from bench.fuzz import pictures
from bench.fuzz.expected_outcome import BAD_IMAGE, OTHER_SIZE, ExpectedOutcome, broken, doubtful
from hamer_ros.ros.message_arrays import to_array

_CUT = 32
"""Bytes without which a picture lacks more than its end marker."""

_REFUSED = broken(BAD_IMAGE, OTHER_SIZE)
_EITHER = doubtful(BAD_IMAGE, OTHER_SIZE)

Broken = tuple[str, CompressedImage, ExpectedOutcome]


def sound(rng: np.random.Generator, with_hands: bool) -> tuple[CompressedImage, tuple[int, int]]:
    """Return a JPEG or PNG of some kind, and its width and height."""
    if with_hands:
        rgb = pictures.hands(rng)
        kind = "jpeg" if rng.random() < 0.5 else "png"
    else:
        rgb = pictures.background(rng, *pictures.size(rng))
        kind = str(rng.choice(list(_KINDS)))
    suffix, picture, options = _KINDS[kind](rng, rgb)
    message = _message(suffix, picture, options)
    if kind == "jpeg without its end":
        message.data = message.data[: -int(rng.integers(1, 3))]
    if rng.random() < 0.3:
        message.format = str(rng.choice(_FORMATS))
    return message, (rgb.shape[1], rgb.shape[0])


def of_rgb(rgb: np.ndarray) -> CompressedImage:
    """Return a plain JPEG of (height, width, 3) uint8 RGB."""
    return _message(".jpg", rgb[..., ::-1], [])


def _message(suffix: str, picture: np.ndarray, options: list[int]) -> CompressedImage:
    message = CompressedImage(format=f"bgr8; {suffix[1:]} compressed bgr8")
    message.data = to_array("B", cv2.imencode(suffix, picture, options)[1])
    return message


def damaged(rng: np.random.Generator, image: CompressedImage) -> Broken:
    """Break one thing about a picture in place; returns its name, the image and its outcome."""
    damage = _DAMAGES[int(rng.integers(len(_DAMAGES)))]
    data = np.frombuffer(image.data, np.uint8).copy()
    result, expected = damage(rng, data)
    image.data = to_array("B", np.frombuffer(result, np.uint8))
    if rng.random() < 0.1:
        image.format = str(rng.choice(["", "jpeg", "webp", "\U0001f590", "x" * 10_000]))
    return damage.__name__.strip("_").replace("_", " "), image, expected


_FORMATS = (
    *("", "jpeg", "png", "JPG", "rgb8;jpeg compressed", "; compressed"),
    *("rgb8; jpeg compressed rgb8", "bgr8; png compressed rgb8", "mono16; png compressed "),
    *(
        "bayer_rggb8; png compressed ",
        "bayer_gbrg16; png compressed ",
        "nv12; jpeg compressed bgr8",
    ),
)
"""Texts of the field ``format``, none of which makes a picture unusable."""

_Kind = Callable[[np.random.Generator, np.ndarray], tuple[str, np.ndarray, list[int]]]

_KINDS: dict[str, _Kind] = {
    "jpeg": lambda rng, rgb: (
        ".jpg",
        rgb[..., ::-1],
        [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(5, 101))],
    ),
    "progressive jpeg": lambda rng, rgb: (
        ".jpg",
        rgb[..., ::-1],
        [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
    ),
    "jpeg with restarts": lambda rng, rgb: (
        ".jpg",
        rgb[..., ::-1],
        [cv2.IMWRITE_JPEG_RST_INTERVAL, int(rng.integers(1, 9))],
    ),
    "jpeg without its end": lambda rng, rgb: (".jpg", rgb[..., ::-1], []),
    "grey jpeg": lambda rng, rgb: (".jpg", rgb[..., 0], []),
    "png": lambda rng, rgb: (".png", rgb[..., ::-1], []),
    "grey png": lambda rng, rgb: (".png", rgb[..., 0], []),
    "16 bit png": lambda rng, rgb: (".png", rgb[..., 0].astype(np.uint16) * 257, []),
    "16 bit colour png": lambda rng, rgb: (".png", rgb.astype(np.uint16) * 16 + 900, []),
    "png with alpha": lambda rng, rgb: (".png", np.dstack([rgb, rgb[..., 0]]), []),
}

_Result = tuple[bytes, ExpectedOutcome]


def _cut(rng: np.random.Generator, data: np.ndarray) -> _Result:
    """Remove the end, the commonest defect of pictures."""
    return data[: int(rng.integers(max(len(data) - _CUT, 1)))].tobytes(), _REFUSED


def _last_bytes_missing(rng: np.random.Generator, data: np.ndarray) -> _Result:
    return data[: -int(rng.integers(1, _CUT))].tobytes(), _EITHER


def _bytes_changed(rng: np.random.Generator, data: np.ndarray) -> _Result:
    where = rng.integers(0, len(data), int(rng.integers(1, 20)))
    data[where] = rng.integers(0, 256, len(where))
    return data.tobytes(), _EITHER


def _header_changed(rng: np.random.Generator, data: np.ndarray) -> _Result:
    where = rng.integers(0, min(len(data), 64), int(rng.integers(1, 4)))
    data[where] = rng.integers(0, 256, len(where))
    return data.tobytes(), _EITHER


def _block_of_bytes_left_out(rng: np.random.Generator, data: np.ndarray) -> _Result:
    begin = int(rng.integers(len(data)))
    return np.delete(data, slice(begin, begin + int(rng.integers(1, 100)))).tobytes(), _EITHER


def _block_of_bytes_twice(rng: np.random.Generator, data: np.ndarray) -> _Result:
    begin, end = sorted(map(int, rng.integers(0, len(data), 2)))
    return data[:end].tobytes() + data[begin:].tobytes(), _EITHER


def _bytes_after_the_end(rng: np.random.Generator, data: np.ndarray) -> _Result:
    return data.tobytes() + rng.bytes(int(rng.integers(1, 1000))), _EITHER


def _no_data(_: np.random.Generator, data: np.ndarray) -> _Result:
    return b"", _REFUSED


def _noise(rng: np.random.Generator, data: np.ndarray) -> _Result:
    return rng.bytes(int(rng.integers(1, 4000))), _REFUSED


def _zeros(rng: np.random.Generator, data: np.ndarray) -> _Result:
    return bytes(int(rng.integers(1, 4000))), _REFUSED


def _noise_behind_a_magic_number(rng: np.random.Generator, data: np.ndarray) -> _Result:
    magic = [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF", b"BM", b"II*\0", b"P6 "]
    magic += [b"#?RADIANCE\n", b"\0\0\0\x0cjP  \r\n\x87\n", b"\x59\xa6\x6a\x95", b"v/1\x01"]
    return magic[int(rng.integers(len(magic)))] + rng.bytes(int(rng.integers(1, 400))), _REFUSED


def _jpeg_that_claims_to_be_huge(rng: np.random.Generator, data: np.ndarray) -> _Result:
    """Change the size in the frame header (ITU T.81, B.2.2) of a small picture."""
    width, height = map(int, rng.choice([[65_500, 65_500], [30_000, 30_000], [6000, 6000]]))
    jpeg = _jpeg()
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + struct.pack(">HH", height, width) + jpeg[at + 4 :], _REFUSED


def _png_that_claims_to_be_huge(rng: np.random.Generator, data: np.ndarray) -> _Result:
    side = int(rng.choice([6000, 30_000, 60_000, 2**31 - 1, 2**32 - 1]))
    return _png(side, side, zlib.compress(bytes(1000))), _REFUSED


def _png_that_is_huge(_: np.random.Generator, data: np.ndarray) -> _Result:
    """Return a whole picture of 400 megapixels in 50 kilobytes."""
    return _png_bomb(), _REFUSED


def _png_without_pixels(rng: np.random.Generator, data: np.ndarray) -> _Result:
    width, height = map(int, rng.choice([[0, 0], [0, 5], [5, 0]]))
    return _png(width, height, zlib.compress(b"")), _REFUSED


def _picture_of_another_format(rng: np.random.Generator, data: np.ndarray) -> _Result:
    return _others()[int(rng.integers(len(_others())))], _REFUSED


def _other_format_that_claims_to_be_huge(rng: np.random.Generator, data: np.ndarray) -> _Result:
    huge = [b"P6\n30000 30000\n255\n" + bytes(99), b"P4\n32000 32000\n" + bytes(99)]
    huge.append(b"BM" + struct.pack("<IIIIiiHHI", 154, 0, 54, 40, 30_000, 30_000, 1, 24, 0))
    huge.append(b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 30000 +X 30000\n" + bytes(99))
    return huge[int(rng.integers(len(huge)))] + bytes(100), _REFUSED


_DAMAGES: tuple[Callable[[np.random.Generator, np.ndarray], _Result], ...] = (
    *(_cut,) * 4,
    _last_bytes_missing,
    *(_bytes_changed,) * 4,
    *(_header_changed,) * 2,
    _block_of_bytes_left_out,
    _block_of_bytes_twice,
    _bytes_after_the_end,
    _no_data,
    _noise,
    _zeros,
    _noise_behind_a_magic_number,
    _jpeg_that_claims_to_be_huge,
    _png_that_claims_to_be_huge,
    _png_that_is_huge,
    _png_without_pixels,
    _picture_of_another_format,
    _other_format_that_claims_to_be_huge,
)


@lru_cache
def _jpeg() -> bytes:
    return bytes(cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1])


def _png(width: int, height: int, pixels: bytes) -> bytes:
    """Return a PNG of one bit per pixel (ISO/IEC 15948)."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = (chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@lru_cache
def _png_bomb(side: int = 20_000) -> bytes:
    packer = zlib.compressobj(9)
    row = bytes(1 + side // 8)
    packed = b"".join(packer.compress(row) for _ in range(side))
    return _png(side, side, packed + packer.flush())


@lru_cache
def _others() -> tuple[bytes, ...]:
    """Return whole pictures of other formats that OpenCV reads, and a GIF."""
    picture = np.full((48, 64, 3), 90, np.uint8)
    suffixes = (".bmp", ".tiff", ".webp", ".ppm", ".jp2", ".ras")
    gif = b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"
    return (gif, *(bytes(cv2.imencode(suffix, picture)[1]) for suffix in suffixes))
