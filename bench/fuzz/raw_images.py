"""Raw images, sound and broken, with their expected outcome.

The rules follow from sensor_msgs/Image: ``step`` is the bytes of a row, at least ``width`` pixels
of the encoding, and ``data`` has ``step * height`` bytes; more where planes of colour follow, which
``height`` leaves out.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import cv2
import numpy as np
from sensor_msgs.msg import Image

from bench.fuzz import pictures
from bench.fuzz.expected_outcome import (
    BAD_IMAGE,
    OTHER_SIZE,
    SOUND,
    ExpectedOutcome,
    broken,
    doubtful,
)
from hamer_ros.ros.message_arrays import to_array

_MOSAICS = ("bayer_rggb", "bayer_bggr", "bayer_gbrg", "bayer_grbg")
_PLANES = {
    **dict.fromkeys(("nv12", "nv21", "i420", "yuv420", "yv12"), Fraction(3, 2)),
    **dict.fromkeys(("nv16", "nv61"), Fraction(2)),
    **dict.fromkeys(("nv24", "nv42"), Fraction(3)),
}
"""Rows of all planes for each of the image, of the encodings that have planes."""

BYTES_PER_PIXEL = {
    **dict.fromkeys(("rgb8", "bgr8", "8UC3"), 3),
    **dict.fromkeys(("rgba8", "bgra8", "8UC4"), 4),
    **dict.fromkeys(("mono8", "8UC1"), 1),
    **dict.fromkeys(("mono16", "16UC1"), 2),
    **dict.fromkeys(("rgb16", "bgr16", "16UC3"), 6),
    **dict.fromkeys(("rgba16", "bgra16", "16UC4"), 8),
    **dict.fromkeys(("yuv422", "uyvy", "yuv422_yuy2", "yuyv", "yvyu"), 2),
    **dict.fromkeys((f"{mosaic}8" for mosaic in _MOSAICS), 1),
    **dict.fromkeys((f"{mosaic}16" for mosaic in _MOSAICS), 2),
    **dict.fromkeys(_PLANES, 1),
}
"""Bytes of a pixel along a row, for the encodings that the documentation names."""

PAIRED = ("yuv422", "uyvy", "yuv422_yuy2", "yuyv", "yvyu", "nv16", "nv61")
"""Encodings in which two pixels share their colour, so that a width is even."""
PAIRED_ROWS = ("nv12", "nv21", "i420", "yuv420", "yv12")
"""Encodings in which four do, so that a height is even as well."""

STRANGE_ENCODINGS = (
    "",
    " ",
    "rgb9",
    "RGB9",
    "rgb8 ",
    "rgb8\n",
    "rgb8; jpeg compressed",
    "16SC3",
    "32FC1",
    "64FC4",
    "8UC",
    "8UC0",
    "8UC5",
    "nv12m",
    "bayer_rggb32",
    "../../etc/passwd",
    "%s%n{0}{}",
    "\u200brgb8",
    "ルギビ\U0001f590",
    "x" * 10_000,
)
_MAX = 2**32 - 1

Broken = tuple[str, Image, ExpectedOutcome]


def sound(rng: np.random.Generator, with_hands: bool) -> Image:
    """Return an image of any encoding and size, its rows padded or not."""
    if with_hands:
        return _of_hands(rng)
    width, height = pictures.size(rng)
    encoding = str(rng.choice(list(BYTES_PER_PIXEL)))
    width += width % _even(encoding)[0]
    height += height % _even(encoding)[1]
    padding = _padding(rng)
    step = width * BYTES_PER_PIXEL[encoding] + padding + padding % _even(encoding)[0]
    size = int(_PLANES.get(encoding, 1) * step * height)
    pixels = np.resize(pictures.background(rng, width, height), size)
    return _image(width, height, encoding, step, pixels, int(rng.integers(2)))


def _even(encoding: str) -> tuple[int, int]:
    """Return numbers of which width and height are multiples."""
    return (2 if encoding in PAIRED + PAIRED_ROWS else 1), (2 if encoding in PAIRED_ROWS else 1)


def of_rgb(rgb: np.ndarray) -> Image:
    """Return a plain message of (height, width, 3) uint8 RGB."""
    height, width = rgb.shape[:2]
    return _image(width, height, "rgb8", 3 * width, rgb, 0)


def damaged(rng: np.random.Generator, image: Image) -> Broken:
    """Break one thing about a sound image in place; returns its name, the image and its outcome."""
    damage = _DAMAGES[int(rng.integers(len(_DAMAGES)))]
    expected = damage(rng, image) or broken(BAD_IMAGE, OTHER_SIZE)
    return damage.__name__.strip("_").replace("_", " "), image, expected


def _of_hands(rng: np.random.Generator) -> Image:
    rgb = pictures.hands(rng)
    height, width = rgb.shape[:2]
    alpha = np.full((height, width, 1), 255, np.uint8)
    conversions: dict[str, Callable[[], np.ndarray]] = {
        "rgb8": lambda: rgb,
        "bgr8": lambda: rgb[..., ::-1],
        "rgba8": lambda: np.dstack([rgb, alpha]),
        "bgra8": lambda: np.dstack([rgb[..., ::-1], alpha]),
        "mono8": lambda: rgb.mean(-1).astype(np.uint8),
        "RGB8": lambda: rgb,
        "mono16": lambda: rgb[..., 1].astype(np.uint16) * 16,
        "rgb16": lambda: rgb.astype(np.uint16) * 100 + 2000,
        "nv12": lambda: _nv12(rgb),
    }
    encoding = str(rng.choice(list(conversions)))
    pixels = conversions[encoding]()
    pixels = np.ascontiguousarray(pixels.reshape(len(pixels), -1)).view(np.uint8)
    pixels = np.pad(pixels, ((0, 0), (0, 2 * _padding(rng))))
    return _image(width, height, encoding, pixels.shape[1], pixels, 0)


def _nv12(rgb: np.ndarray) -> np.ndarray:
    """Return (3 H / 2, W) uint8: Y, and below it pairs of U and V."""
    height, width = rgb.shape[:2]
    planes = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420)
    u, v = planes[height:].reshape(2, -1)
    return np.concatenate([planes[:height], np.stack([u, v], -1).reshape(-1, width)])


def _image(
    width: int, height: int, encoding: str, step: int, pixels: np.ndarray, big_endian: int
) -> Image:
    return Image(
        width=width,
        height=height,
        encoding=encoding,
        step=step,
        is_bigendian=big_endian,
        data=to_array("B", pixels),
    )


def _padding(rng: np.random.Generator) -> int:
    """Return the bytes after each row."""
    return int(rng.integers(1, 65)) if rng.random() < 0.3 else 0


def _bytes_per_pixel(image: Image) -> int:
    """Return the bytes of a pixel of a known encoding, in any letter case."""
    return BYTES_PER_PIXEL.get(image.encoding) or BYTES_PER_PIXEL[image.encoding.lower()]


def _row(image: Image) -> int:
    return image.width * _bytes_per_pixel(image)


def _fits(image: Image) -> bool:
    """True if a message is right; one whose step is that of all planes together is."""
    planes, (across, down) = _PLANES.get(image.encoding, 1), _even(image.encoding)
    if image.width % across or image.height % down:
        return False
    if planes != 1 and image.step * image.height == len(image.data):
        return len(image.data) == planes * _row(image) * image.height
    return (
        _row(image) <= image.step
        and planes * image.step * image.height <= len(image.data)
        and not (down == 2 and image.step % 2)
    )


def _no_width(_: np.random.Generator, image: Image) -> None:
    image.width = 0


def _no_height(_: np.random.Generator, image: Image) -> None:
    image.height = 0


def _nothing_at_all(_: np.random.Generator, image: Image) -> None:
    image.width = image.height = image.step = 0
    image.data = []


def _step_too_small(rng: np.random.Generator, image: Image) -> None:
    image.step = int(rng.integers(_row(image)))


def _step_too_large(rng: np.random.Generator, image: Image) -> None:
    image.step = int(rng.choice([len(image.data) + 1, 2**31, _MAX]))


def _width_too_large(rng: np.random.Generator, image: Image) -> None:
    image.width = int(rng.choice([image.step + 1, 2**16, 2**31, _MAX]))


def _height_too_large(rng: np.random.Generator, image: Image) -> None:
    image.height += int(rng.choice([1, 100, 2**16, 2**31]))


def _large_header_with_little_data(rng: np.random.Generator, image: Image) -> None:
    image.width, image.height = map(int, rng.choice([[4000, 3000], [60_000, 60_000], [_MAX, _MAX]]))
    image.step = min(_row(image), _MAX)


def _data_cut(rng: np.random.Generator, image: Image) -> None:
    image.data = image.data[: int(rng.integers(len(image.data)))]


def _data_one_byte_short(_: np.random.Generator, image: Image) -> None:
    image.data = image.data[:-1]


def _data_missing(_: np.random.Generator, image: Image) -> None:
    image.data = []


def _data_too_long(rng: np.random.Generator, image: Image) -> ExpectedOutcome:
    image.data.extend(bytes(int(rng.integers(1, 1000))))
    return doubtful(BAD_IMAGE)


def _encoding_unknown(rng: np.random.Generator, image: Image) -> None:
    image.encoding = str(rng.choice(STRANGE_ENCODINGS))


def _encoding_of_random_text(rng: np.random.Generator, image: Image) -> None:
    # The first 0xd7ff code points are characters; beyond lie surrogates, which no text can hold.
    image.encoding = "".join(map(chr, rng.integers(0x20, 0xD7FF, int(rng.integers(1, 40)))))


def _encoding_of_another_image(rng: np.random.Generator, image: Image) -> ExpectedOutcome:
    image.encoding = str(rng.choice(list(BYTES_PER_PIXEL)))
    return SOUND if _fits(image) else broken(BAD_IMAGE)


def _odd_width_of_paired_pixels(rng: np.random.Generator, image: Image) -> None:
    image.encoding = str(rng.choice(PAIRED + PAIRED_ROWS))
    image.width = 2 * int(rng.integers(0, 40)) + 1
    image.height += image.height % 2
    image.step = 2 * image.width
    image.data = to_array("B", np.zeros(2 * image.step * image.height))


def _odd_height_of_paired_rows(rng: np.random.Generator, image: Image) -> None:
    image.encoding = str(rng.choice(PAIRED_ROWS))
    image.width += image.width % 2
    image.height = 2 * int(rng.integers(0, 40)) + 1
    image.step = image.width
    image.data = to_array("B", np.zeros(2 * image.step * image.height))


def _any_header(rng: np.random.Generator, image: Image) -> ExpectedOutcome:
    image.width, image.height, image.step = map(int, rng.integers(0, 100, 3))
    image.encoding = str(rng.choice(list(BYTES_PER_PIXEL)))
    return doubtful(BAD_IMAGE, OTHER_SIZE)


_DAMAGES: tuple[Callable[[np.random.Generator, Image], ExpectedOutcome | None], ...] = (
    _no_width,
    _no_height,
    _nothing_at_all,
    _step_too_small,
    _step_too_large,
    _width_too_large,
    _height_too_large,
    _large_header_with_little_data,
    _data_cut,
    _data_one_byte_short,
    _data_missing,
    _data_too_long,
    _encoding_unknown,
    _encoding_of_random_text,
    _encoding_of_another_image,
    _odd_width_of_paired_pixels,
    _odd_height_of_paired_rows,
    _any_header,
)
