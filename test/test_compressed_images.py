"""JPEG and PNG as cameras and image_transport send them come out as the picture that was taken."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("sensor_msgs", reason="needs ROS 2")

from sensor_msgs.msg import CompressedImage, Image

from hamer_ros.ros.images.decode import ImageError, decode_compressed, decode_image

SQUARE = np.zeros((32, 48, 3), np.uint8)
SQUARE[:] = (40, 90, 160)
SQUARE[8:24, 12:36] = (200, 120, 60)
GRAY = cv2.cvtColor(SQUARE, cv2.COLOR_RGB2GRAY)
PHOTO = cv2.GaussianBlur(
    np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8), (0, 0), 3
)


def packed(suffix: str, pixels: np.ndarray, *options: int) -> bytes:
    return bytes(cv2.imencode(suffix, pixels, options)[1])


def decoded(text: str, data: bytes) -> np.ndarray:
    return decode_compressed(CompressedImage(format=text, data=data))


def published(encoding: str, codec: str, rgb: np.ndarray) -> CompressedImage:
    """What image_transport's publisher makes of a colour image (compressed_publisher.cpp)."""
    target = f"bgr{'16' if encoding.endswith('16') else '8'}"
    data = packed(f".{codec}", rgb[..., ::-1])
    return CompressedImage(format=f"{encoding}; {codec} compressed {target}", data=data)


@pytest.mark.parametrize("codec", ["jpeg", "png"])
@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "rgba8", "bgra8", "yuv422_yuy2", "nv21"])
def test_colors_as_image_transport_publishes_them_survive(encoding, codec):
    rgb = decode_compressed(published(encoding, codec, SQUARE))
    assert np.abs(rgb[12:20, 16:32].astype(int) - SQUARE[12:20, 16:32]).max() <= 6


@pytest.mark.parametrize("text", ["rgb8; jpeg compressed rgb8", "bgr8; JPEG compressed rgb8 "])
def test_a_picture_that_was_compressed_as_rgb_has_red_and_blue_put_right(text):
    """The compressor takes what it gets for BGR, so that the picture has them exchanged."""
    data = packed(".jpg", SQUARE)
    assert np.abs(decoded(text, data)[12:20, 16:32].astype(int) - SQUARE[12:20, 16:32]).max() <= 6


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "jpeg",
            "JPEG",
            "jpg",
            "image/jpeg",
            "mjpeg",
            "png",
            "bgr8",
            "; ; compressed",
            "x" * 99,
        ),
        *(
            "rgb8;jpeg compressed",
            "rgb8; png compressed ",
            "rgb8; jpeg",
            "bgr8;jpeg compressed bgr8",
        ),
        *(
            "bayer_rggb8; jpeg compressed bgr8",
            "mono8; jpeg compressed mono8",
            "rgb8 compressed rgb8",
        ),
    ],
)
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_any_other_text_is_that_of_an_ordinary_picture(text, suffix):
    """Whichever codec the text names, the data tell what they are."""
    rgb = decoded(text, packed(suffix, SQUARE[..., ::-1]))
    assert np.abs(rgb[12:20, 16:32].astype(int) - SQUARE[12:20, 16:32]).max() <= 6


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_a_mosaic_in_a_png_becomes_colors(pattern, bits):
    mosaic = np.empty(GRAY.shape, np.uint16)
    for k, color in enumerate(pattern):
        y, x = divmod(k, 2)
        mosaic[y::2, x::2] = SQUARE[y::2, x::2, "rgb".index(color)]
    mosaic = mosaic.astype(np.uint8) if bits == 8 else mosaic * 257
    rgb = decoded(f"bayer_{pattern}{bits}; png compressed ", packed(".png", mosaic))
    raw = Image(height=32, width=48, encoding=f"bayer_{pattern}{bits}", step=48 * bits // 8)
    raw.data = mosaic.tobytes()
    np.testing.assert_array_equal(rgb, decode_image(raw))
    assert rgb[16, 24].argmax() == 0 and rgb[3, 3].argmax() == 2


def test_a_mosaic_that_was_compressed_as_gray_stays_gray():
    rgb = decoded("bayer_rggb8; jpeg compressed mono8", packed(".jpg", GRAY))
    assert (rgb == rgb[..., :1]).all()


@pytest.mark.parametrize("kind", ["mono16", "rgb16"])
def test_sixteen_bits_are_the_same_raw_and_as_png(kind):
    wide = (PHOTO if kind == "rgb16" else PHOTO[..., 1]).astype(np.uint16) * 16 + 500
    raw = Image(height=120, width=160, encoding=kind, step=wide[0].nbytes, data=wide.tobytes())
    png = packed(".png", wide[..., ::-1] if kind == "rgb16" else wide)
    target = "bgr16" if kind == "rgb16" else ""
    rgb = decoded(f"{kind}; png compressed {target}", png)
    np.testing.assert_array_equal(rgb, decode_image(raw))
    assert np.ptp(rgb) > 200


@pytest.mark.parametrize("kind", ["grey", "alpha", "one bit"])
def test_other_pngs_are_read(kind):
    pixels, options = {
        "grey": (GRAY, ()),
        "alpha": (np.dstack([SQUARE[..., ::-1], GRAY]), ()),
        "one bit": (GRAY // 128 * 255, (cv2.IMWRITE_PNG_BILEVEL, 1)),
    }[kind]
    rgb = decoded("png", packed(".png", pixels, *options))
    expected = SQUARE if kind == "alpha" else np.dstack([pixels] * 3)
    np.testing.assert_array_equal(rgb, expected)


@given(st.binary(max_size=200))
def test_rubbish_is_no_picture(data):
    with pytest.raises(ImageError, match="compressed image of format 'jpeg'"):
        decoded("jpeg", data)


@given(st.text(), st.sampled_from([".jpg", ".png"]), st.sampled_from([SQUARE, GRAY]))
def test_any_format_at_all_is_decoded(text, suffix, pixels):
    data = packed(suffix, pixels)
    try:
        message = CompressedImage(format=text, data=data)
    except UnicodeEncodeError:  # nor could DDS carry it
        return
    assert decode_compressed(message).shape == SQUARE.shape


KINDS = {
    "plain": (PHOTO, ()),
    "grey": (PHOTO[..., 0], ()),
    "with restarts": (PHOTO, (cv2.IMWRITE_JPEG_RST_INTERVAL, 2)),
    "progressive": (PHOTO, (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)),
    "poor": (PHOTO, (cv2.IMWRITE_JPEG_QUALITY, 20)),
    "of one colour": (np.full_like(PHOTO, 128), ()),
    "of noise": (np.random.default_rng(1).integers(0, 256, (24, 40, 3), np.uint8), ()),
}


@pytest.mark.parametrize("behind", [b"", bytes(1000)], ids=["nothing", "zeros"])
@pytest.mark.parametrize("missing", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_a_jpeg_without_the_mark_of_its_end_is_a_picture(kind, missing, behind):
    pixels, options = KINDS[kind]
    if kind == "of one colour" and behind:
        pytest.skip("its codes are zeros as well")
    whole = packed(".jpg", pixels, *options)
    np.testing.assert_array_equal(
        decoded("jpeg", whole[:-missing] + behind), decoded("jpeg", whole)
    )


@pytest.mark.parametrize("behind", [b"", bytes(1000)], ids=["nothing", "zeros"])
@pytest.mark.parametrize("part", [0.5, 0.9, 0.97])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "of one colour"])
def test_a_jpeg_that_is_cut_is_refused(kind, part, behind):
    pixels, options = KINDS[kind]
    whole = packed(".jpg", pixels, *options)
    with pytest.raises(ImageError, match="should be a whole JPEG"):
        decoded("jpeg", whole[: int(part * len(whole))] + behind)


@given(st.sampled_from(["plain", "with restarts", "progressive", "of noise"]), st.data())
def test_a_jpeg_of_which_something_shows_to_be_missing_is_refused(kind, data):
    pixels, options = KINDS[kind]
    whole = packed(".jpg", pixels, *options)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    try:
        rgb = decoded("jpeg", cut)
    except ImageError:
        return
    np.testing.assert_array_equal(rgb, decoded("jpeg", whole))


@pytest.mark.parametrize("behind", [bytes(5000), b"\xff\xd8", b"--boundary\r\n"])
def test_what_follows_the_end_does_not_matter(behind):
    whole = packed(".jpg", PHOTO)
    np.testing.assert_array_equal(decoded("jpeg", whole + behind), decoded("jpeg", whole))


def test_a_jpeg_of_a_webcam_has_no_huffman_tables():
    """Motion JPEG leaves them out, for they are always those of the standard (K.3)."""
    whole = packed(".jpg", PHOTO)
    out, at = bytearray(whole[:2]), 2
    while whole[at + 1] != 0xDA:
        length = 2 + int.from_bytes(whole[at + 2 : at + 4], "big")
        if whole[at + 1] != 0xC4:
            out += whole[at : at + length]
        at += length
    without = bytes(out + whole[at:])
    assert len(without) < len(whole) - 400
    np.testing.assert_array_equal(decoded("jpeg", without), decoded("jpeg", whole))
    np.testing.assert_array_equal(decoded("jpeg", without[:-2]), decoded("jpeg", whole))
