"""Images in every common encoding come out as the same RGB picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("sensor_msgs", reason="needs ROS 2")

from sensor_msgs.msg import CompressedImage, Image

from hamer_ros.ros.images import (
    ENCODINGS,
    ImageError,
    decode_compressed,
    decode_image,
    encode_rgb,
)

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
    out = np.empty(rgb.shape[:2], np.uint8)
    for k, color in enumerate(pattern):
        y, x = divmod(k, 2)
        out[y::2, x::2] = rgb[y::2, x::2, channel[color]]
    return out


def yuv422(rgb: np.ndarray, order: str) -> np.ndarray:
    """BT.601 video range, chroma shared by pairs of pixels."""
    r, g, b = np.moveaxis(rgb.astype(float), -1, 0)
    y = 16 + (65.738 * r + 129.057 * g + 25.064 * b) / 256
    u = 128 + (-37.945 * r - 74.494 * g + 112.439 * b) / 256
    v = 128 + (112.439 * r - 94.154 * g - 18.285 * b) / 256
    chroma = np.empty_like(y)
    chroma[:, 0::2], chroma[:, 1::2] = u[:, 0::2], v[:, 0::2]
    pair = (y, chroma) if order == "yuyv" else (chroma, y)
    return np.round(np.stack(pair, -1)).astype(np.uint8)


COLORED = {
    "rgb8": SQUARE,
    "bgr8": SQUARE[..., ::-1].copy(),
    "8UC3": SQUARE[..., ::-1].copy(),
    "rgba8": np.dstack([SQUARE, np.full_like(GRAY, 9)]),
    "bgra8": np.dstack([SQUARE[..., ::-1], np.full_like(GRAY, 9)]),
    "yuv422_yuy2": yuv422(SQUARE, "yuyv"),
    "yuyv": yuv422(SQUARE, "yuyv"),
    "yuv422": yuv422(SQUARE, "uyvy"),
    "uyvy": yuv422(SQUARE, "uyvy"),
    **{f"bayer_{p}8": bayer(SQUARE, p) for p in ("rggb", "bggr", "gbrg", "grbg")},
}
MONO = {
    "mono8": GRAY,
    "8UC1": GRAY,
    "mono16": GRAY.astype(np.uint16) * 256 + 17,
    "16UC1": GRAY.astype(np.uint16) * 16 + 3,  # a camera of 12 bits
}


def test_every_encoding_is_tested():
    assert set(COLORED) | set(MONO) == set(ENCODINGS)


@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize("encoding", COLORED)
def test_colors_survive(encoding, padding):
    rgb = decode_image(message(encoding, COLORED[encoding], padding))
    assert rgb.shape == SQUARE.shape
    # Mosaics and shared chroma blur edges: compare inside the fields of one colour.
    for inside in (np.s_[2:6, 4:40], np.s_[12:20, 16:32]):
        assert np.abs(rgb[inside].astype(int) - SQUARE[inside]).max() <= 3


@pytest.mark.parametrize("encoding", MONO)
def test_gray_stays_gray(encoding):
    rgb = decode_image(message(encoding, MONO[encoding]))
    assert (rgb[..., 0] == rgb[..., 1]).all()
    assert (rgb[..., 0] == rgb[..., 2]).all()
    ratio = rgb[16, 20, 0] / GRAY[16, 20]
    np.testing.assert_allclose(rgb[..., 0], ratio * GRAY, atol=2)


def test_big_endian_pixels_are_turned_round():
    little = decode_image(message("mono16", MONO["mono16"]))
    big = decode_image(message("mono16", MONO["mono16"].byteswap(), big_endian=True))
    np.testing.assert_array_equal(little, big)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_compressed_pictures_are_unpacked(suffix):
    data = cv2.imencode(suffix, SQUARE[..., ::-1])[1].tobytes()
    rgb = decode_compressed(CompressedImage(format=f"rgb8; {suffix[1:]} compressed", data=data))
    assert np.abs(rgb[12:20, 16:32].astype(int) - SQUARE[12:20, 16:32]).max() <= 6


@given(st.binary(max_size=200))
def test_rubbish_is_no_picture(data):
    with pytest.raises(ImageError, match="compressed image of format 'jpeg'"):
        decode_compressed(CompressedImage(format="jpeg", data=data))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"width": 0}, "0x32"),
        ({"encoding": "rgb9"}, "'rgb9'; known are: rgb8, bgr8"),
        ({"step": 10}, "step is 10; 48 pixels of rgb8 need 144 bytes"),
        ({"data": b"123"}, "data has 3 bytes; 32 rows of 144 are 4608"),
        ({"encoding": "yuyv", "width": 47}, "47 wide"),
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
