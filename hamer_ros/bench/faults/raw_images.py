"""Raw images, sound and broken.

What a message must be follows from sensor_msgs/Image: ``step`` is the bytes of a row, at least
``width`` pixels of the encoding, and ``data`` has ``step * height`` bytes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sensor_msgs.msg import Image

from hamer_ros.bench.faults import pictures
from hamer_ros.bench.faults.verdict import BAD_IMAGE, OTHER_SIZE, SOUND, Verdict, broken, doubtful
from hamer_ros.ros.arrays import to_array

BYTES_PER_PIXEL = {
    **dict.fromkeys(("rgb8", "bgr8", "8UC3"), 3),
    **dict.fromkeys(("rgba8", "bgra8"), 4),
    **dict.fromkeys(("mono8", "8UC1"), 1),
    **dict.fromkeys(("mono16", "16UC1"), 2),
    **dict.fromkeys(("yuv422", "uyvy", "yuv422_yuy2", "yuyv"), 2),
    **dict.fromkeys(("bayer_rggb8", "bayer_bggr8", "bayer_gbrg8", "bayer_grbg8"), 1),
}
"""Of the encodings that the README promises."""

PAIRED = ("yuv422", "uyvy", "yuv422_yuy2", "yuyv")
"""Encodings in which two pixels share their colour, so that a width is even."""

STRANGE_ENCODINGS = (
    "",
    " ",
    "rgb9",
    "RGB8",
    "rgb8 ",
    "rgb8\n",
    "rgb8; jpeg compressed",
    "16UC3",
    "32FC1",
    "64FC4",
    "8UC",
    "8UC0",
    "8UC5",
    "nv12",
    "bayer_rggb16",
    "../../etc/passwd",
    "%s%n{0}{}",
    "\u200brgb8",
    "ルギビ\U0001f590",
    "x" * 10_000,
)
_MAX = 2**32 - 1

Broken = tuple[str, Image, Verdict]


def sound(rng: np.random.Generator, with_hands: bool) -> Image:
    """An image of any encoding and size, its rows padded or not."""
    if with_hands:
        return _of_hands(rng)
    width, height = pictures.size(rng)
    encoding = str(rng.choice(list(BYTES_PER_PIXEL)))
    if encoding in PAIRED:
        width += width % 2
    step = width * BYTES_PER_PIXEL[encoding] + _padding(rng)
    pixels = np.resize(pictures.nothing(rng, width, height), step * height)
    return _image(width, height, encoding, step, pixels, int(rng.integers(2)))


def of_rgb(rgb: np.ndarray) -> Image:
    """A plain message of (height, width, 3) uint8 RGB."""
    height, width = rgb.shape[:2]
    return _image(width, height, "rgb8", 3 * width, rgb, 0)


def damaged(rng: np.random.Generator, image: Image) -> Broken:
    """A sound image with one thing wrong about it: what, the message, and what must come of it.

    The image is changed in its place.
    """
    damage = _DAMAGES[int(rng.integers(len(_DAMAGES)))]
    verdict = damage(rng, image) or broken(BAD_IMAGE, OTHER_SIZE)
    return damage.__name__.strip("_").replace("_", " "), image, verdict


def _of_hands(rng: np.random.Generator) -> Image:
    rgb = pictures.hands(rng)
    height, width = rgb.shape[:2]
    alpha = np.full((height, width, 1), 255, np.uint8)
    ways: dict[str, Callable[[], np.ndarray]] = {
        "rgb8": lambda: rgb,
        "bgr8": lambda: rgb[..., ::-1],
        "rgba8": lambda: np.dstack([rgb, alpha]),
        "bgra8": lambda: np.dstack([rgb[..., ::-1], alpha]),
        "mono8": lambda: rgb.mean(-1).astype(np.uint8),
    }
    encoding = str(rng.choice(list(ways)))
    pixels = ways[encoding]().reshape(height, -1)
    padding = _padding(rng)
    pixels = np.pad(pixels, ((0, 0), (0, padding)))
    return _image(width, height, encoding, pixels.shape[1], pixels, 0)


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
    """Bytes after each row."""
    return int(rng.integers(1, 65)) if rng.random() < 0.3 else 0


def _row(image: Image) -> int:
    return image.width * BYTES_PER_PIXEL[image.encoding]


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
    image.step = min(image.width * BYTES_PER_PIXEL[image.encoding], _MAX)


def _data_cut(rng: np.random.Generator, image: Image) -> None:
    image.data = image.data[: int(rng.integers(len(image.data)))]


def _data_one_byte_short(_: np.random.Generator, image: Image) -> None:
    image.data = image.data[:-1]


def _data_missing(_: np.random.Generator, image: Image) -> None:
    image.data = []


def _data_too_long(rng: np.random.Generator, image: Image) -> Verdict:
    image.data.extend(bytes(int(rng.integers(1, 1000))))
    return doubtful(BAD_IMAGE)


def _encoding_unknown(rng: np.random.Generator, image: Image) -> None:
    image.encoding = str(rng.choice(STRANGE_ENCODINGS))


def _encoding_of_random_text(rng: np.random.Generator, image: Image) -> None:
    # The first 0xd7ff code points are characters; beyond lie surrogates, which no text can hold.
    image.encoding = "".join(map(chr, rng.integers(0x20, 0xD7FF, int(rng.integers(1, 40)))))


def _encoding_of_another_image(rng: np.random.Generator, image: Image) -> Verdict:
    image.encoding = str(rng.choice(list(BYTES_PER_PIXEL)))
    fits = _row(image) <= image.step and not (image.encoding in PAIRED and image.width % 2)
    return SOUND if fits else broken(BAD_IMAGE)


def _odd_width_of_paired_pixels(rng: np.random.Generator, image: Image) -> None:
    image.encoding = str(rng.choice(PAIRED))
    image.width = 2 * int(rng.integers(0, 40)) + 1
    image.step = 2 * image.width
    image.data = to_array("B", np.zeros(image.step * image.height))


def _any_header(rng: np.random.Generator, image: Image) -> Verdict:
    image.width, image.height, image.step = map(int, rng.integers(0, 100, 3))
    image.encoding = str(rng.choice(list(BYTES_PER_PIXEL)))
    return doubtful(BAD_IMAGE, OTHER_SIZE)


_DAMAGES: tuple[Callable[[np.random.Generator, Image], Verdict | None], ...] = (
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
    _any_header,
)
