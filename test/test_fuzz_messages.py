"""Any message at all is either used rightly or refused with a reason: never another exception."""

from __future__ import annotations

import struct
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

pytest.importorskip("sensor_msgs", reason="needs ROS 2")

from sensor_msgs.msg import CameraInfo, CompressedImage, Image, RegionOfInterest

from hamer_ros.camera.model import COEFFICIENTS, CameraError
from hamer_ros.ros.images.decode import (
    MAX_PIXELS,
    ImageError,
    decode_compressed,
    decode_image,
    image_size,
)
from hamer_ros.ros.images.encodings import ENCODINGS
from hamer_ros.ros.input.camera_info import read_intrinsics

UINT32 = st.integers(0, 2**32 - 1)
PICTURE = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)
JPEG, PROGRESSIVE, PNG = (
    bytes(cv2.imencode(suffix, PICTURE, options)[1])
    for suffix, options in (
        (".jpg", []),
        (".jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
        (".png", []),
    )
)


def png(width: int, height: int, pixels: bytes) -> bytes:
    """A PNG of one bit per pixel."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def decoded(data: bytes) -> np.ndarray | None:
    """The picture in these bytes, None where they are refused."""
    try:
        return decode_compressed(CompressedImage(format="jpeg", data=data))
    except ImageError:
        return None


@given(
    st.sampled_from(["width", "height", "step"]),
    UINT32,
    st.sampled_from([*ENCODINGS, ""]),
    st.integers(1, 12),
    st.integers(1, 12),
)
def test_a_raw_image_with_any_number_in_its_header_is_decoded_or_refused(
    name, value, encoding, width, height
):
    image = Image(width=width, height=height, step=8 * width, encoding=encoding)
    image.data = bytes(8 * width * height)
    setattr(image, name, value)
    try:
        rgb = decode_image(image)
    except ImageError:
        return
    assert rgb.shape == (image.height, image.width, 3)


@given(st.sampled_from(ENCODINGS), st.integers(1, 6), st.integers(1, 6), st.integers(0, 3))
def test_the_smallest_images_are_decoded_in_every_encoding(encoding, width, height, padding):
    width += width % 2  # for those in which pairs of pixels share their colour
    height += height % 2
    step = 8 * width + 2 * padding
    image = Image(width=width, height=height, step=step, encoding=encoding)
    image.data = bytes(3 * step * height)
    assert decode_image(image).shape == (height, width, 3)


@given(st.sampled_from([JPEG, PROGRESSIVE, PNG]), st.data())
def test_a_picture_whose_end_is_missing_is_refused(whole, data):
    assert decoded(whole).shape == PICTURE.shape
    assert decoded(whole[: data.draw(st.integers(0, len(whole) - 32))]) is None


@given(
    st.sampled_from([JPEG, PROGRESSIVE, PNG]),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_a_picture_with_other_bytes_is_as_large_as_it_says_or_refused(whole, changes):
    data = bytearray(whole)
    for at, value in changes:
        data[at % len(data)] = value
    message = CompressedImage(format="png", data=bytes(data))
    try:
        width, height = image_size(message)
        # A header that says otherwise costs time; the node compares it with CameraInfo first.
        if width * height > PICTURE.size:
            return
        rgb = decode_compressed(message)
    except ImageError:
        return
    assert rgb.shape == (height, width, 3)


@given(st.integers(0, len(PNG) - 1), st.integers(1, 255))
def test_a_png_knows_of_every_changed_byte(at, change):
    data = bytearray(PNG)
    data[at] ^= change
    assert decoded(bytes(data)) is None


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@given(st.integers(1, 200), st.integers(1, 200))
def test_the_size_is_known_before_anything_is_decoded(suffix, width, height):
    data = bytes(cv2.imencode(suffix, np.zeros((height, width), np.uint8))[1])
    assert image_size(CompressedImage(data=data)) == (width, height)


@pytest.mark.parametrize("handedness", [10_001, 30_000, 65_500])
def test_a_small_message_cannot_claim_much_memory(handedness):
    at = JPEG.index(b"\xff\xc0") + 5
    jpeg = JPEG[:at] + struct.pack(">HH", handedness, handedness) + JPEG[at + 4 :]
    for data in (jpeg, png(handedness, handedness, zlib.compress(bytes(1000)))):
        tracemalloc.start()
        with pytest.raises(ImageError, match=f"1 to {MAX_PIXELS} pixels|cannot be decoded"):
            decode_compressed(CompressedImage(format="jpeg", data=data))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
        tracemalloc.stop()


def test_a_jpeg_with_too_few_data_for_its_size_is_refused_and_an_even_one_is_not():
    at = JPEG.index(b"\xff\xc0") + 5
    assert decoded(JPEG[:at] + struct.pack(">HH", 6000, 6000) + JPEG[at + 4 :]) is None
    even = bytes(
        cv2.imencode(".jpg", np.zeros((3000, 4000), np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 1])[1]
    )
    assert decoded(even).shape == (3000, 4000, 3)


def test_a_chunk_that_is_longer_than_its_png_is_not_read():
    """OpenCV takes as much memory as a chunk's length says before it looks what is there."""
    begin = PNG.index(b"IDAT") - 4
    assert decoded(PNG[:begin] + struct.pack(">I", 2**30) + PNG[begin + 4 :]) is None


@pytest.mark.parametrize("suffix", [".bmp", ".tiff", ".webp", ".ppm", ".jp2", ".ras"])
def test_only_jpeg_and_png_are_decoded(suffix):
    assert decoded(bytes(cv2.imencode(suffix, PICTURE)[1])) is None


def test_segments_and_filling_before_the_frame_header_are_skipped():
    """A thumbnail in an Exif segment has a frame header of its own, of another size."""
    thumbnail = bytes(cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1])
    exif = b"\xff\xe1" + struct.pack(">H", 2 + len(thumbnail)) + thumbnail + b"\xff\xff"
    assert image_size(CompressedImage(data=JPEG[:2] + exif + JPEG[2:])) == (40, 24)


@st.composite
def infos(draw: st.DrawFn) -> CameraInfo:
    """A CameraInfo of ordinary numbers, of which some are any at all."""
    lens = draw(st.sampled_from(["", *COEFFICIENTS, "thin_prism"]))
    count = draw(st.sampled_from([0, 4, 5, 8, 12, 14]))
    usual = {
        "k": [60.0, 0, 32, 0, 60, 24, 0, 0, 1],
        "p": [60.0, 0, 32, 0, 0, 60, 24, 0, 0, 0, 1, 0],
    }
    fields = {name: list(values) for name, values in usual.items()}
    fields["d"] = [0.01] * count
    for values in fields.values():
        if values and draw(st.booleans()):
            values[draw(st.integers(0, len(values) - 1))] = draw(st.floats())
    numbers = {
        name: draw(st.one_of(st.just(usual), UINT32))
        for name, usual in (("width", 64), ("height", 48), ("binning_x", 1), ("binning_y", 0))
    }
    roi = draw(st.one_of(st.just({}), st.fixed_dictionaries({"x_offset": UINT32, "width": UINT32})))
    return CameraInfo(distortion_model=lens, roi=RegionOfInterest(**roi), **numbers, **fields)


@given(
    infos(),
    st.tuples(st.booleans(), st.booleans(), st.booleans()),
    arrays.arrays(float, (5, 2), elements=st.floats(-1e4, 1e4)),
)
def test_any_intrinsics_are_refused_or_give_every_pixel_a_ray(info, switches, pixels):
    rectified, scale, mirrored = switches
    try:
        camera = read_intrinsics(
            info,
            64,
            48,
            rectified=rectified,
            scale_camera_info=scale,
            mirrored=mirrored,
            assumed_horizontal_fov=0.0,
        ).camera
    except CameraError:
        return
    rays = camera.unproject(pixels)
    assert np.isfinite(rays).all()
    np.testing.assert_allclose(np.linalg.norm(rays, axis=1), 1)
