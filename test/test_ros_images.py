"""Images in every common encoding come out as the same RGB picture."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("sensor_msgs", reason="needs ROS 2")

from sensor_msgs.msg import Image

from hamer_ros.ros.images.decode import ImageError, decode_image, encode_rgb, odd_size
from hamer_ros.ros.images.encodings import ENCODINGS, TABLE, table_text

SQUARE = np.zeros((32, 48, 3), np.uint8)
SQUARE[:] = (40, 90, 160)
SQUARE[8:24, 12:36] = (200, 120, 60)
GRAY = cv2.cvtColor(SQUARE, cv2.COLOR_RGB2GRAY)


def message(encoding: str, pixels: np.ndarray, padding: int = 0, big_endian: bool = False) -> Image:
    """An image message whose rows are padded."""
    height, width = pixels.shape[:2]
    rows = pixels.reshape(height, -1).view(np.uint8)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    return Image(
        height=height,
        width=width,
        encoding=encoding,
        step=rows.shape[1],
        is_bigendian=int(big_endian),
        data=rows.tobytes(),
    )


def bayer(rgb: np.ndarray, pattern: str) -> np.ndarray:
    """What a sensor with that mosaic measures: pattern is the 2x2 cell row by row."""
    channel = {"r": 0, "g": 1, "b": 2}
    out = np.empty(rgb.shape[:2], rgb.dtype)
    for k, color in enumerate(pattern):
        y, x = divmod(k, 2)
        out[y::2, x::2] = rgb[y::2, x::2, channel[color]]
    return out


def yuv(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """BT.601, video range."""
    r, g, b = np.moveaxis(rgb.astype(float), -1, 0)
    y = 16 + (65.738 * r + 129.057 * g + 25.064 * b) / 256
    u = 128 + (-37.945 * r - 74.494 * g + 112.439 * b) / 256
    v = 128 + (112.439 * r - 94.154 * g - 18.285 * b) / 256
    return y, u, v


def yuv422(rgb: np.ndarray, order: str) -> np.ndarray:
    """Packed; chroma shared by pairs of pixels."""
    y, u, v = yuv(rgb)
    chroma = np.empty_like(y)
    first, second = (u, v) if order.index("u") < order.index("v") else (v, u)
    chroma[:, 0::2], chroma[:, 1::2] = first[:, 0::2], second[:, 0::2]
    pair = (y, chroma) if order[0] == "y" else (chroma, y)
    return np.round(np.stack(pair, -1)).astype(np.uint8)


def planes(rgb: np.ndarray, across: int, down: int, order: str, padding: int = 0) -> np.ndarray:
    """All bytes of an image in planes, whose chroma ``across`` and ``down`` pixels share.

    order: "u+v" of planes of their own, "uv" of one plane of pairs.
    """
    luma, *chroma = yuv(rgb)
    u, v = (plane[::down, ::across] for plane in chroma)
    parts = [u, v] if order.index("u") < order.index("v") else [v, u]
    if "+" not in order:
        parts = [np.stack(parts, -1).reshape(len(u), -1)]
    paddings = [padding, *(padding * part.shape[1] // luma.shape[1] for part in parts)]
    rows = (
        np.pad(np.round(part).astype(np.uint8), ((0, 0), (0, more)), constant_values=77).reshape(-1)
        for part, more in zip([luma, *parts], paddings, strict=True)
    )
    return np.concatenate(list(rows))


DEEP = SQUARE.astype(np.uint16) * 200 + 11
ALPHA = np.full_like(GRAY, 9)
PACKED = {
    "rgb8": SQUARE,
    "bgr8": SQUARE[..., ::-1].copy(),
    "rgba8": np.dstack([SQUARE, ALPHA]),
    "bgra8": np.dstack([SQUARE[..., ::-1], ALPHA]),
    "uyvy": yuv422(SQUARE, "uyvy"),
    "yuyv": yuv422(SQUARE, "yuyv"),
    "yvyu": yuv422(SQUARE, "yvyu"),
    **{f"bayer_{p}8": bayer(SQUARE, p) for p in ("rggb", "bggr", "gbrg", "grbg")},
}
PLANAR = {
    "nv12": (2, 2, "uv"),
    "nv21": (2, 2, "vu"),
    "i420": (2, 2, "u+v"),
    "yv12": (2, 2, "v+u"),
    "nv16": (2, 1, "uv"),
    "nv61": (2, 1, "vu"),
    "nv24": (1, 1, "uv"),
    "nv42": (1, 1, "vu"),
}
WIDE = {
    "rgb16": DEEP,
    "bgr16": DEEP[..., ::-1].copy(),
    "rgba16": np.dstack([DEEP, ALPHA.astype(np.uint16)]),
    "bgra16": np.dstack([DEEP[..., ::-1], ALPHA.astype(np.uint16)]),
    **{f"bayer_{p}16": bayer(DEEP, p) for p in ("rggb", "bggr", "gbrg", "grbg")},
}
MONO = {
    "mono8": GRAY,
    "mono16": GRAY.astype(np.uint16) * 16 + 3,  # a camera of 12 bits
}
INSIDE = (np.s_[2:6, 4:40], np.s_[12:20, 16:32])
"""The fields of one colour: mosaics and shared chroma blur edges."""


def planar(encoding: str, padding: int = 0) -> Image:
    """An image message of the square in planes, whose rows are padded."""
    data = planes(SQUARE, *PLANAR[encoding], padding).tobytes()
    return Image(height=32, width=48, encoding=encoding, step=48 + padding, data=data)


def test_every_encoding_is_tested():
    assert {*PACKED, *PLANAR, *WIDE, *MONO} == set(ENCODINGS)


@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize("encoding", [*PACKED, *PLANAR])
def test_colors_survive(encoding, padding):
    if encoding in PLANAR:
        rgb = decode_image(planar(encoding, padding))
    else:
        rgb = decode_image(message(encoding, PACKED[encoding], padding))
    assert rgb.shape == SQUARE.shape
    for inside in INSIDE:
        assert np.abs(rgb[inside].astype(int) - SQUARE[inside]).max() <= 3


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("encoding", WIDE)
def test_sixteen_bits_keep_the_hue(encoding, big_endian):
    """The darkest value that counts is far from the brightest, so that black stays black."""
    pixels = WIDE[encoding].byteswap() if big_endian else WIDE[encoding]
    rgb = decode_image(message(encoding, pixels, 6, big_endian))
    scale = rgb[16, 24].astype(float).sum() / SQUARE[16, 24].sum()
    assert scale > 1
    for inside in INSIDE:
        np.testing.assert_allclose(rgb[inside], scale * SQUARE[inside], atol=4)


@pytest.mark.parametrize("encoding", MONO)
def test_gray_stays_gray(encoding):
    rgb = decode_image(message(encoding, MONO[encoding]))
    assert (rgb == rgb[..., :1]).all()
    slope, offset = np.polyfit(GRAY.reshape(-1), rgb[..., 0].reshape(-1), 1)
    assert slope >= 0.99
    np.testing.assert_allclose(rgb[..., 0], slope * GRAY + offset, atol=1)


@pytest.mark.parametrize("encoding", TABLE, ids=lambda encoding: encoding.name)
def test_other_names_and_letter_case_mean_the_same(encoding):
    data = np.random.default_rng(0).integers(0, 256, 48 * 8 * 32 * 3, np.uint8).tobytes()
    images = [
        decode_image(Image(width=48, height=32, step=48 * 8, encoding=name, data=data))
        for name in (*encoding.names, encoding.name.upper(), encoding.name.capitalize())
    ]
    for image in images[1:]:
        np.testing.assert_array_equal(image, images[0])


def test_rgb8_is_a_view_of_the_message():
    image = encode_rgb(SQUARE)
    assert np.shares_memory(decode_image(image), np.frombuffer(image.data, np.uint8))


def test_planes_whose_step_counts_all_of_them_are_read():
    """A driver without a step of its own divides the bytes by the height."""
    image = planar("nv12")
    image.step = 72
    np.testing.assert_array_equal(decode_image(image), decode_image(planar("nv12")))


def test_a_height_that_counts_the_rows_of_colour_is_refused_in_words():
    image = planar("i420")
    image.height = 48
    with pytest.raises(ImageError, match="planes of colour that height leaves out, are 3456"):
        decode_image(image)


def test_planes_that_may_be_filled_up_with_rows_are_told_of():
    """A decoder of video pads 1080 rows to 1088, and drivers pass that on."""
    image = planar("nv12")
    assert odd_size(image) is None
    image.data = [*image.data, *bytes(48 * 12)]
    remark = odd_size(image)
    assert remark is not None
    assert "has 2880 bytes, its planes are 2304" in remark.text


def test_bytes_after_the_last_row_are_no_matter_without_planes():
    image = message("rgb8", SQUARE)
    image.data = [*image.data, *bytes(64)]
    assert odd_size(image) is None


ROOT = Path(__file__).parents[1]


def test_the_documentation_has_the_table_of_encodings():
    assert table_text() in (ROOT / "docs" / "images.md").read_text()


def test_the_topic_of_images_names_every_encoding():
    """Without the bits, where they are a part of the name."""
    lines = (ROOT / "docs" / "topics.md").read_text().splitlines()
    row = next(line for line in lines if line.startswith("| `image` |"))
    for encoding in ENCODINGS:
        of_any_bits = re.fullmatch(r"(rgba?|bgra?|mono|bayer_)(\w{4})?(8|16)", encoding)
        name = of_any_bits[1].replace("_", "_*") if of_any_bits else encoding
        assert name in re.split(r"[ ,|]+", row)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"width": 0}, "0x32"),
        ({"width": 40_000, "step": 120_000}, "40000x32; a side has at most 32766 pixels"),
        ({"encoding": "rgb9"}, "'rgb9'; known are: rgb8, bgr8"),
        ({"step": 10}, "step is 10; 48 pixels of rgb8 need 144 bytes"),
        ({"data": b"123"}, "data has 3 bytes; 32 rows of 144 are 4608"),
        ({"encoding": "yuyv", "width": 47}, "yuyv image is 47 wide; pairs of its pixels share"),
        ({"encoding": "nv12", "width": 47}, "nv12 image is 47 wide"),
        ({"encoding": "NV12", "height": 31}, "NV12 image is 31 high; pairs of its rows share"),
        ({"encoding": "nv24", "step": 40}, "step is 40; 48 pixels of nv24 need 48 bytes"),
        ({"encoding": "i420", "step": 49}, "step is 49; that of i420 is even"),
        ({"encoding": "32FC1"}, "'32FC1'; known are: rgb8"),
    ],
)
def test_an_image_that_contradicts_itself_is_refused(change, complaint):
    bad = message("rgb8", SQUARE)
    for name, value in change.items():
        setattr(bad, name, value)
    with pytest.raises(ImageError, match=complaint):
        decode_image(bad)


@given(
    st.integers(0, 40),
    st.integers(0, 40),
    st.integers(0, 200),
    st.sampled_from([*ENCODINGS, "nonsense", ""]),
    st.binary(max_size=3000),
)
def test_any_message_is_either_decoded_or_refused(width, height, step, encoding, data):
    image = Image(width=width, height=height, step=step, encoding=encoding, data=data)
    try:
        rgb = decode_image(image)
    except ImageError:
        return
    assert rgb.shape == (height, width, 3)
    assert rgb.dtype == np.uint8


def test_encoding_and_decoding_cancel():
    np.testing.assert_array_equal(decode_image(encode_rgb(SQUARE)), SQUARE)
