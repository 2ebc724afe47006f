"""The encodings of raw images: the layout of their bytes and their conversion to RGB.

``python -m hamer_ros.ros.images.encodings`` prints their table for the documentation.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np

from hamer_ros.ros.images.contrast_stretch import Stretch


@dataclass(frozen=True)
class Encoding:
    """One encoding of raw images.

    names: as sensor_msgs calls it or, where it does not, as most drivers do; then other names.
    description: for people.
    channels: values of a pixel, in encodings without planes.
    kind: data type of a value.
    rows: rows of a step that all planes take, for each row of the image: 1 without planes.
    even: the width, and the height, are multiples of these.
    to_rgb: values -> (H, W, 3) uint8 RGB.  They are (H, W) or (H, W, channels) uint8, because those
        of 16 bits were stretched; in encodings with planes (H * rows, W), without padding.
    """

    names: tuple[str, ...]
    description: str
    channels: int
    kind: type
    to_rgb: Callable[[np.ndarray], np.ndarray]
    rows: Fraction = Fraction(1)
    even: tuple[int, int] = (1, 1)

    @property
    def name(self) -> str:
        """The first of the names."""
        return self.names[0]

    @property
    def bytes_per_pixel(self) -> int:
        """The bytes of a pixel along a row."""
        return self.channels * np.dtype(self.kind).itemsize

    def data_size(self, step: int, height: int) -> int:
        """Return the bytes of an image; step: bytes of a row, or of a row of its first plane."""
        return int(self.rows * step * height)

    def decode(
        self,
        data: np.ndarray,
        width: int,
        height: int,
        step: int,
        is_bigendian: bool,
        stretch: Stretch,
    ) -> np.ndarray:
        """Return (H, W, 3) uint8 RGB of (data_size,) uint8; for rgb8 without padding, a view."""
        if self.rows != 1:
            return self.to_rgb(_without_padding(self, data, width, height, step))
        row = width * self.bytes_per_pixel
        rows = np.ascontiguousarray(data.reshape(height, step)[:, :row])
        pixels: np.ndarray = rows.view(self.kind)
        if self.channels > 1:
            pixels = pixels.reshape(height, width, self.channels)
        if self.kind is np.uint16:
            if is_bigendian != (sys.byteorder == "big"):
                pixels = pixels.byteswap()
            pixels = stretch(pixels)
        return self.to_rgb(pixels)


def _without_padding(
    encoding: Encoding, data: np.ndarray, width: int, height: int, step: int
) -> np.ndarray:
    """Return the planes one after the other, as rows as wide as the image."""
    if step == width:
        return data.reshape(-1, width)
    luma, chroma = data[: step * height], data[step * height :]
    planes = [luma.reshape(height, step)[:, :width]]
    if encoding.name in ("i420", "yv12"):  # planes of half the width, and so of half the step
        planes.append(chroma.reshape(height, step // 2)[:, : width // 2])
    elif encoding.rows == 3:  # pairs of every pixel, so that two steps make a row
        planes.append(chroma.reshape(height, 2 * step)[:, : 2 * width])
    else:
        planes.append(chroma.reshape(-1, step)[:, :width])
    return np.concatenate([plane.reshape(-1) for plane in planes]).reshape(-1, width)


def _convert(code: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda pixels: cv2.cvtColor(pixels, code)


def _unchanged(pixels: np.ndarray) -> np.ndarray:
    return pixels


def _semi_planar_422(code: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return the conversion of 4:2:2 with a plane of Y and one of chroma pairs (NV16, NV61).

    Interleaved, the two planes are YUYV, which OpenCV converts by ``code``.
    """

    def to_rgb(planes: np.ndarray) -> np.ndarray:
        height = len(planes) // 2
        return cv2.cvtColor(cv2.merge([planes[:height], planes[height:]]), code)

    return to_rgb


def _full_range(zero: int, steps: int, full_zero: int) -> np.ndarray:
    """Return the table (256,) that maps BT.601 values, ``steps`` from ``zero``, to full range."""
    full = full_zero + (np.arange(256.0) - zero) * 255 / steps
    return np.clip(np.rint(full), 0, 255).astype(np.uint8)


_FULL_LUMA, _FULL_CHROMA = _full_range(16, 219, 0), _full_range(128, 224, 128)
_STRIP = 64
"""Rows that fit a processor's cache with all intermediate results."""


def _semi_planar_444(u: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return the conversion of 4:4:4 with a plane of Y and one of chroma pairs (NV24, NV42).

    u: index of U in a pair.
    """

    def to_rgb(planes: np.ndarray) -> np.ndarray:
        height, width = len(planes) // 3, planes.shape[1]
        pairs = planes[height:].reshape(height, 2 * width)
        rgb = np.empty((height, width, 3), np.uint8)
        for top in range(0, height, _STRIP):
            bottom = min(top + _STRIP, height)
            luma = cv2.LUT(planes[top:bottom], _FULL_LUMA)
            chroma = cv2.LUT(pairs[top:bottom], _FULL_CHROMA).reshape(bottom - top, width, 2)
            channels = cv2.split(chroma)
            full = cv2.merge([luma, channels[1 - u], channels[u]])
            rgb[top:bottom] = cv2.cvtColor(full, cv2.COLOR_YCrCb2RGB)
        return rgb

    return to_rgb


def _packed(
    names: str, description: str, channels: int, code: int | None, wide: bool = False
) -> Encoding:
    to_rgb = _unchanged if code is None else _convert(code)
    return Encoding(
        tuple(names.split()), description, channels, np.uint16 if wide else np.uint8, to_rgb
    )


def _planar(
    names: str,
    description: str,
    rows: Fraction | int,
    even: tuple[int, int],
    to_rgb: Callable[[np.ndarray], np.ndarray],
) -> Encoding:
    return Encoding(tuple(names.split()), description, 1, np.uint8, to_rgb, Fraction(rows), even)


def _packed_422(names: str, description: str, code: int) -> Encoding:
    return Encoding(tuple(names.split()), description, 2, np.uint8, _convert(code), even=(2, 1))


_ONE_AND_A_HALF = Fraction(3, 2)
_GRAY = cv2.COLOR_GRAY2RGB

# ROS names a Bayer pattern by its first row, OpenCV by the second row's second and third pixel.
_MOSAICS = {
    "rggb": cv2.COLOR_BayerBG2RGB,
    "bggr": cv2.COLOR_BayerRG2RGB,
    "gbrg": cv2.COLOR_BayerGR2RGB,
    "grbg": cv2.COLOR_BayerGB2RGB,
}

TABLE: tuple[Encoding, ...] = (
    _packed("rgb8 rgb24 rgb888", "red, green, blue", 3, None),
    _packed("bgr8 bgr24 bgr888 8UC3", "blue, green, red", 3, cv2.COLOR_BGR2RGB),
    _packed("rgba8", "red, green, blue, alpha", 4, cv2.COLOR_RGBA2RGB),
    _packed("bgra8 8UC4", "blue, green, red, alpha", 4, cv2.COLOR_BGRA2RGB),
    _packed("rgb16", "red, green, blue of 16 bits", 3, None, wide=True),
    _packed("bgr16 16UC3", "blue, green, red of 16 bits", 3, cv2.COLOR_BGR2RGB, wide=True),
    _packed("rgba16", "red, green, blue, alpha of 16 bits", 4, cv2.COLOR_RGBA2RGB, wide=True),
    _packed("bgra16 16UC4", "blue, green, red, alpha of 16 bits", 4, cv2.COLOR_BGRA2RGB, wide=True),
    _packed("mono8 8UC1 y8 grey gray gray8", "grey", 1, _GRAY),
    _packed(
        "mono16 16UC1 y16 gray16 mono10 mono12 mono14 y10 y12 y14",
        "grey of up to 16 bits, two bytes each",
        1,
        _GRAY,
        wide=True,
    ),
    *(
        _packed(f"bayer_{pattern}8", f"mosaic whose first pixels are {pattern}", 1, code)
        for pattern, code in _MOSAICS.items()
    ),
    *(
        _packed(
            f"bayer_{pattern}16 bayer_{pattern}10 bayer_{pattern}12 bayer_{pattern}14",
            f"mosaic whose first pixels are {pattern}, of up to 16 bits, two bytes each",
            1,
            code,
            wide=True,
        )
        for pattern, code in _MOSAICS.items()
    ),
    _packed_422("uyvy yuv422", "4:2:2, U first", cv2.COLOR_YUV2RGB_UYVY),
    _packed_422("yuyv yuv422_yuy2 yuy2", "4:2:2, Y first, U before V", cv2.COLOR_YUV2RGB_YUY2),
    _packed_422("yvyu", "4:2:2, Y first, V before U", cv2.COLOR_YUV2RGB_YVYU),
    _planar(
        "nv12",
        "4:2:0, a plane of Y and one of UV",
        _ONE_AND_A_HALF,
        (2, 2),
        _convert(cv2.COLOR_YUV2RGB_NV12),
    ),
    _planar(
        "nv21",
        "4:2:0, a plane of Y and one of VU",
        _ONE_AND_A_HALF,
        (2, 2),
        _convert(cv2.COLOR_YUV2RGB_NV21),
    ),
    _planar(
        "i420 yuv420 yuv420p yu12 iyuv yuv_i420",
        "4:2:0, planes of Y, U and V",
        _ONE_AND_A_HALF,
        (2, 2),
        _convert(cv2.COLOR_YUV2RGB_I420),
    ),
    _planar(
        "yv12",
        "4:2:0, planes of Y, V and U",
        _ONE_AND_A_HALF,
        (2, 2),
        _convert(cv2.COLOR_YUV2RGB_YV12),
    ),
    _planar(
        "nv16",
        "4:2:2, a plane of Y and one of UV",
        2,
        (2, 1),
        _semi_planar_422(cv2.COLOR_YUV2RGB_YUY2),
    ),
    _planar(
        "nv61",
        "4:2:2, a plane of Y and one of VU",
        2,
        (2, 1),
        _semi_planar_422(cv2.COLOR_YUV2RGB_YVYU),
    ),
    _planar("nv24", "4:4:4, a plane of Y and one of UV", 3, (1, 1), _semi_planar_444(0)),
    _planar("nv42", "4:4:4, a plane of Y and one of VU", 3, (1, 1), _semi_planar_444(1)),
)
"""All known encodings.  A value has 8 bits where the description does not say otherwise; YUV is
that of BT.601, with Y from 16 to 235."""

_BY_NAME = {name.lower(): encoding for encoding in TABLE for name in encoding.names}

ENCODINGS = tuple(encoding.name for encoding in TABLE)
"""The first name of each encoding."""


def find_encoding(name: str) -> Encoding | None:
    """Return the encoding of that name in any letter case, or None."""
    return _BY_NAME.get(name.lower())


def table_text() -> str:
    """Return the table of encodings as Markdown, which the documentation holds."""
    rows = [
        (f"`{e.name}`", ", ".join(f"`{name}`" for name in e.names[1:]), e.description)
        for e in TABLE
    ]
    lines = ["| encoding | other names | pixels |", "|---|---|---|"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows]) + "\n"


if __name__ == "__main__":
    print(table_text(), end="")
