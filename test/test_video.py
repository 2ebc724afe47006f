"""Video packets in, the images that were taken out, each with its own packet's tag."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("sensor_msgs", reason="needs ROS 2")
av = pytest.importorskip("av", reason="needs PyAV")

from hamer_ros.errors import MissingFileError  # noqa: E402
from hamer_ros.ros.images.decode import ImageError  # noqa: E402
from hamer_ros.ros.images.video_decoder import VideoDecoder  # noqa: E402

av.logging.set_level(av.logging.PANIC)

WIDTH, HEIGHT = 160, 120
GOP = 8
"""Images from one keyframe to the next."""

AT_ONCE = {"preset": "ultrafast", "tune": "zerolatency"}
QUIET = "log-level=none"
ENCODERS = {
    "h264": ("libx264", AT_ONCE, 0),
    "h264, predicted from later ones": ("libx264", {"preset": "medium"}, 2),
    "h265": ("libx265", {**AT_ONCE, "x265-params": QUIET}, 0),
    "h265, predicted from later ones": ("libx265", {"x265-params": QUIET}, 3),
    "av1": ("libsvtav1", {"preset": "10", "svtav1-params": "pred-struct=1:lookahead=0"}, 0),
    "vp9": ("libvpx-vp9", {"deadline": "realtime", "lag-in-frames": "0"}, 0),
}


def picture(k: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A disc that moves with time."""
    rgb = np.full((height, width, 3), (40, 90, 160), np.uint8)
    cv2.circle(rgb, (20 + 4 * k, height // 2), 18, (200, 120, 60), -1)
    return rgb


def shown(rgb: np.ndarray) -> float:
    """The number of the picture that this is."""
    columns = np.nonzero(rgb[..., 0] > 120)[1]
    return (columns.mean() - 20) / 4


@lru_cache
def encoded(kind: str, count: int = 20, width: int = WIDTH, height: int = HEIGHT):
    """Packets (number, flags, data) in the order of decoding, a tuple of them."""
    name, options, predicted = ENCODERS[kind]
    if name not in av.codecs_available:
        pytest.skip(f"this PyAV has no {name}")
    context = av.CodecContext.create(name, "w")
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base, context.framerate = Fraction(1, 30), Fraction(30)
    context.gop_size, context.max_b_frames, context.options = GOP, predicted, options
    packets = []
    for k in range(count):
        frame = av.VideoFrame.from_ndarray(picture(k, width, height), format="rgb24")
        frame.pts = k
        packets += context.encode(frame)
    packets += context.encode(None)
    return tuple((packet.pts, int(packet.is_keyframe), bytes(packet)) for packet in packets)


def kind_of(kind: str) -> str:
    return kind.partition(",")[0]


def play(decoder: VideoDecoder, packets, text: str, plain: bool = False):
    """Images of all packets, tagged with their numbers, and how many were refused.

    plain: without numbers and flags.
    """
    images, refused = [], 0
    for number, flags, data in packets:
        more = {} if plain else {"number": number, "flags": flags}
        try:
            images += decoder.decode(data, text, number, **more)
        except ImageError:
            refused += 1
    return images, refused


def check(images) -> list[int]:
    """Every image is that of its tag, near enough; the tags."""
    for image in images:
        assert image.rgb.shape == (HEIGHT, WIDTH, 3)
        assert abs(shown(image.rgb) - image.tag) < 0.15
        assert np.abs(image.rgb[:20].astype(int) - (40, 90, 160)).max() < 8
    return [image.tag for image in images]


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("kind", ENCODERS)
def test_every_image_comes_once_in_order_with_its_own_tag(kind, plain):
    packets = encoded(kind)
    images, refused = play(VideoDecoder(), packets, kind_of(kind), plain)
    assert not refused
    tags = check(images)
    # The last are held back where images are predicted from later ones.
    assert tags == list(range(len(tags)))
    assert len(tags) >= (20 if "," not in kind else 15)


@pytest.mark.parametrize("kind", [kind for kind in ENCODERS if "," not in kind])
def test_an_image_comes_with_its_own_packet_where_the_codec_lets_it(kind):
    decoder = VideoDecoder()
    for number, flags, data in encoded(kind):
        assert [i.tag for i in decoder.decode(data, kind, number, number, flags)] == [number]


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("kind", ENCODERS)
def test_a_stream_that_is_joined_late_begins_at_its_next_keyframe(kind, plain):
    packets = encoded(kind)[3:]
    decoder = VideoDecoder()
    images, refused = play(decoder, packets[:2], kind_of(kind), plain)
    assert not images and decoder.waiting
    images, refused = play(decoder, packets[2:], kind_of(kind), plain)
    assert not refused
    tags = check(images)
    assert tags[0] == GOP
    assert tags == list(range(GOP, GOP + len(tags)))


@pytest.mark.parametrize("kind", [kind for kind in ENCODERS if "," not in kind])
def test_nothing_is_made_up_after_a_loss(kind):
    """Numbers tell of it; H.265 would itself."""
    packets = encoded(kind, 30)
    lost = 2 * GOP + 2
    images, refused = play(VideoDecoder(), packets[:lost] + packets[lost + 1 :], kind)
    assert refused <= 1
    assert check(images) == [*range(lost), *range(3 * GOP, 30)]


@pytest.mark.parametrize("kind", ["h264", "h265", "av1"])
def test_rubbish_is_refused_in_words_and_the_next_keyframe_heals(kind):
    packets = list(encoded(kind))
    packets[3] = (3, 0, np.random.default_rng(0).bytes(300))
    decoder = VideoDecoder()
    images = play(decoder, packets[:3], kind)[0]
    with pytest.raises(ImageError, match=f"{kind} packet of 300 bytes cannot be decoded"):
        decoder.decode(packets[3][2], kind, 3, 3, 0)
    assert decoder.waiting
    images += play(decoder, packets[4:], kind)[0]
    assert check(images) == [0, 1, 2, *range(GOP, 20)]


def test_an_encoder_that_always_errs_in_a_remark_is_read_all_the_same():
    """A message of supplemental information that is shorter than it says, in every keyframe."""
    remark = b"\0\0\0\1\x06\x05\xf0abc\x80"
    packets = [
        (n, flags, remark * flags + data) for n, flags, data in encoded("h264", 5 * GOP - 14)
    ]
    images, refused = play(VideoDecoder(), packets, "h264")
    assert refused == 3
    assert check(images) == list(range(3 * GOP, 5 * GOP - 14))


def test_another_resolution_is_followed_at_its_keyframe():
    decoder = VideoDecoder()
    images = play(decoder, encoded("h264"), "h264")[0]
    larger = play(decoder, encoded("h264", 6, 320, 240), "h264")[0]
    check(images)
    assert [image.rgb.shape for image in larger] == [(240, 320, 3)] * 6
    assert [image.tag for image in larger] == list(range(6))


def test_another_codec_is_followed():
    decoder = VideoDecoder()
    images = (
        play(decoder, encoded("h264"), "libx264")[0] + play(decoder, encoded("h265"), "hevc")[0]
    )
    assert check(images) == [*range(20), *range(20)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        *(
            (text, "h264")
            for text in ("h264", "libx264", "h264_nvenc", "H.264", "h264_vaapi", "avc1")
        ),
        *((text, "h265") for text in ("hevc", "h265", "hevc_nvenc", "libx265")),
        ("h264;yuv420p;bgr8;rgb8", "h264"),
        ("hevc;nv12;bgr8;bayer_rggb8", "h265"),
        ("libsvtav1", "av1"),
        ("libvpx-vp9", "vp9"),
    ],
)
def test_encoders_and_codecs_are_known_by_name(text, kind):
    assert check(play(VideoDecoder(), encoded(kind, 4), text)[0]) == [0, 1, 2, 3]


@pytest.mark.parametrize("text", ["", "jpeg", "theora", "x" * 999])
def test_other_codecs_are_refused_in_words(text):
    with pytest.raises(ImageError, match=r"encoding is '.*'; known are: h264, h265, av1, vp9"):
        VideoDecoder().decode(b"123", text, 0)


def test_without_pyav_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingFileError, match="pip install av"):
        VideoDecoder()


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(["h264", "h265", "av1", "vp9"]),
    st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=6),
    st.sets(st.integers(0, 11)),
    st.booleans(),
)
def test_any_packets_give_images_of_the_size_or_are_refused(kind, changes, lost, plain):
    packets = [p for k, p in enumerate(encoded(kind, 12)) if k not in lost]
    for k, (at, value) in enumerate(changes[: len(packets)]):
        number, flags, data = packets[k]
        broken = bytearray(data)
        broken[at % len(broken)] = value
        packets[k] = (number, flags, bytes(broken))
    images, _ = play(VideoDecoder(), packets, kind, plain)
    tags = [image.tag for image in images]
    assert len(set(tags)) == len(tags)
    assert all(image.rgb.dtype == np.uint8 and image.rgb.ndim == 3 for image in images)
