"""Depth of the transport compressedDepth in, metres out, or a reason why not."""

from __future__ import annotations

import contextlib
import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("sensor_msgs", reason="needs ROS 2")

from sensor_msgs.msg import CompressedImage

from hamer_ros.camera.model import CameraModel
from hamer_ros.ros.images.depth_images import DepthError, decode_compressed_depth

WIDTH, HEIGHT = 64, 48
CAMERA = CameraModel(WIDTH, HEIGHT, fx=60, fy=60, cx=31.5, cy=23.5)
METRES = np.linspace(0.2, 3.0, WIDTH * HEIGHT, dtype=np.float32).reshape(HEIGHT, WIDTH)
MILLIMETRES = np.rint(1000 * METRES).astype(np.uint16)
MILLIMETRES[10:20, 5:30] = 0
NO_PARAMETERS = struct.pack("<iff", 0, 0.0, 0.0)


def png(values: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", values)[1])


def rvl(values: np.ndarray) -> bytes:
    """The size and the code, as the paper's EncodeVLE and CompressRVL write it."""
    nibbles: list[int] = []

    def put(value: int) -> None:
        while value >= 8:
            nibbles.append(8 | value & 7)
            value >>= 3
        nibbles.append(value)

    flat, at, previous = values.reshape(-1).tolist(), 0, 0
    while at < len(flat):
        begin = at
        while at < len(flat) and flat[at] == 0:
            at += 1
        put(at - begin)
        begin = at
        while at < len(flat) and flat[at]:
            at += 1
        put(at - begin)
        for value in flat[begin:at]:
            difference = value - previous
            put(2 * difference if difference >= 0 else -2 * difference - 1)
            previous = value
    nibbles += [0] * (-len(nibbles) % 8)
    words = [
        int("".join(f"{n:x}" for n in nibbles[k : k + 8]), 16) for k in range(0, len(nibbles), 8)
    ]
    return struct.pack(f"<II{len(words)}I", values.shape[1], values.shape[0], *words)


def quantised(metres: np.ndarray, quantisation: float = 100, largest: float = 10):
    """The header and the values, as compressed_depth_image_transport computes them (codec.cpp)."""
    a = np.float32(quantisation * (quantisation + 1))
    b = np.float32(1 - a / largest)
    there = metres < largest  # not where it is not a number
    values = np.where(there, a / np.where(there, metres, 1) + b, 0).astype(np.uint16)
    return struct.pack("<iff", 0, a, b), values


def decoded(text: str, data: bytes) -> np.ndarray:
    return decode_compressed_depth(CompressedImage(format=text, data=data), "depth", CAMERA)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("16UC1; compressedDepth png", png),
        ("16UC1; compressedDepth", png),
        ("16UC1", png),
        ("mono16;compressedDepth png", png),
        ("", png),
        ("16UC1; compressedDepth rvl", rvl),
    ],
)
def test_millimetres_are_metres_and_holes_stay_holes(text, code):
    depth = decoded(text, NO_PARAMETERS + code(MILLIMETRES))
    assert depth.dtype == np.float32
    np.testing.assert_allclose(depth, MILLIMETRES / 1000, rtol=1e-6)


@pytest.mark.parametrize("code", [png, rvl])
def test_quantised_metres_come_back_as_exactly_as_they_were_quantised(code):
    metres = METRES.copy()
    metres[10:20, 5:30] = np.nan
    metres[30:40, 5:30] = 12
    header, values = quantised(metres)
    depth = decoded(f"32FC1; compressedDepth {code.__name__}", header + code(values))
    holes = ~(metres < 10)
    assert (depth[holes] == 0).all()
    # A step of the quantised value 1 / z is z * z / a of the depth.
    assert (np.abs(depth - metres)[~holes] <= 1.01 * metres[~holes] ** 2 / (100 * 101) + 1e-6).all()


def test_a_png_without_a_header_is_read_where_it_needs_none():
    np.testing.assert_allclose(
        decoded("16UC1; compressedDepth png", png(MILLIMETRES)), MILLIMETRES / 1e3, rtol=1e-6
    )
    with pytest.raises(DepthError, match="does not tell how it was quantised: a is 0, b is 0"):
        decoded("32FC1; compressedDepth png", png(MILLIMETRES))


@pytest.mark.parametrize(
    ("text", "data", "reason", "complaint"),
    [
        (
            "16UC1; compressedDepth png",
            NO_PARAMETERS + png(MILLIMETRES[1:]),
            "another size",
            "64x47",
        ),
        (
            "16UC1; compressedDepth rvl",
            NO_PARAMETERS + rvl(MILLIMETRES[1:]),
            "another size",
            "64x47",
        ),
        (
            "16UC1; compressedDepth png",
            NO_PARAMETERS + png(MILLIMETRES)[:-9],
            "bad depth",
            "whole PNG",
        ),
        ("16UC1; compressedDepth rvl", NO_PARAMETERS + rvl(MILLIMETRES)[:-9], "bad depth", "RVL"),
        ("16UC1; compressedDepth png", b"", "bad depth", "0 bytes that cannot be decoded"),
        ("16UC1; compressedDepth png", b"1234", "bad depth", "its header has 12"),
        ("16UC1; compressedDepth rvl", NO_PARAMETERS, "bad depth", "the size and RVL's code"),
        ("16UC1; compressedDepth zstd", NO_PARAMETERS, "bad depth", "codecs are: png, rvl"),
        ("rgb8; jpeg compressed bgr8", NO_PARAMETERS, "bad depth", "'rgb8'; known are: 16UC1"),
        (
            "16UC1; compressedDepth png",
            NO_PARAMETERS + png(MILLIMETRES.astype(np.uint8)),
            "bad depth",
            "one channel of 16 bits",
        ),
        (
            "32FC1; compressedDepth png",
            struct.pack("<iff", 0, np.nan, 1) + png(MILLIMETRES),
            "bad depth",
            "a is nan, b is 1",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_reason(text, data, reason, complaint):
    with pytest.raises(DepthError, match=complaint) as error:
        decoded(text, data)
    assert reason in error.value.reason


@given(
    st.sampled_from(["16UC1; compressedDepth rvl", "32FC1; compressedDepth rvl", "32FC1", ""]),
    st.one_of(
        st.binary(max_size=400),
        st.binary(max_size=400).map(lambda code: NO_PARAMETERS + rvl(MILLIMETRES)[:8] + code),
    ),
)
def test_any_data_are_decoded_or_refused(text, data):
    try:
        depth = decoded(text, data)
    except DepthError:
        return
    assert depth.shape == (HEIGHT, WIDTH)
    assert np.isfinite(depth).all()


@given(st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_depth_image_with_other_bytes_is_decoded_or_refused(changes):
    data = bytearray(NO_PARAMETERS + rvl(MILLIMETRES))
    for at, value in changes:
        data[at % len(data)] = value
    with contextlib.suppress(DepthError):
        assert decoded("16UC1; compressedDepth rvl", bytes(data)).shape == (HEIGHT, WIDTH)
