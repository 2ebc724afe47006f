"""Area ``decode``: images of every encoding to RGB, against OpenCV's own conversion of them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from bench.records import Record
from hamer_ros.ros.images.contrast_stretch import Stretch
from hamer_ros.ros.images.decode import decode_compressed, decode_image
from hamer_ros.ros.images.encodings import TABLE, Encoding
from hamer_ros.ros.message_arrays import to_array

WIDTH, HEIGHT = 1280, 720
REPEATS = 40

# The peer: OpenCV's conversion of the pixels.  Those of 16 bits are scaled first, by their least
# and greatest value.
_CODES = {
    "bgr": cv2.COLOR_BGR2RGB,
    "rgba": cv2.COLOR_RGBA2RGB,
    "bgra": cv2.COLOR_BGRA2RGB,
    "mono": cv2.COLOR_GRAY2RGB,
    "bayer_rggb": cv2.COLOR_BayerBG2RGB,
    "bayer_bggr": cv2.COLOR_BayerRG2RGB,
    "bayer_gbrg": cv2.COLOR_BayerGR2RGB,
    "bayer_grbg": cv2.COLOR_BayerGB2RGB,
    "uyvy": cv2.COLOR_YUV2RGB_UYVY,
    "yuyv": cv2.COLOR_YUV2RGB_YUY2,
    "yvyu": cv2.COLOR_YUV2RGB_YVYU,
    "nv12": cv2.COLOR_YUV2RGB_NV12,
    "nv21": cv2.COLOR_YUV2RGB_NV21,
    "i420": cv2.COLOR_YUV2RGB_I420,
    "yv12": cv2.COLOR_YUV2RGB_YV12,
}


def measure_decoding(_: Path) -> list[Record]:
    """Return the milliseconds for a 1280x720 image of every known encoding."""
    rng = np.random.default_rng(0)
    smooth = cv2.GaussianBlur(rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8), (0, 0), 3)
    records = [_raw(encoding, rng) for encoding in TABLE]
    deep = smooth[..., 1].astype(np.uint16) * 16
    for name, suffix, pixels in (
        ("jpeg", ".jpg", smooth),
        ("png", ".png", smooth),
        ("png16", ".png", deep),
    ):
        records.append(_compressed(name, bytes(cv2.imencode(suffix, pixels)[1])))
    without_end = bytes(cv2.imencode(".jpg", smooth)[1])[:-2]
    records.append(_compressed("jpeg without its end", without_end))
    return records


def _raw(encoding: Encoding, rng: np.random.Generator) -> Record:
    step = WIDTH * encoding.bytes_per_pixel
    data = rng.integers(0, 256, encoding.data_size(step, HEIGHT), np.uint8)
    message = Image(width=WIDTH, height=HEIGHT, step=step, encoding=encoding.name)
    message.data = to_array("B", data)
    stretch = Stretch()
    what, peer = _peer(encoding, data)
    return _record(encoding.name, lambda: decode_image(message, stretch), what, peer)


def _peer(encoding: Encoding, data: np.ndarray) -> tuple[str, Callable[[], np.ndarray]]:
    name = encoding.name
    if name in ("nv16", "nv61"):
        yuyv = data.reshape(HEIGHT, WIDTH, 2)
        return "cv2.cvtColor of yuyv", lambda: cv2.cvtColor(yuyv, cv2.COLOR_YUV2RGB_YUY2)
    if name in ("nv24", "nv42"):
        packed = data.reshape(HEIGHT, WIDTH, 3)
        return "cv2.cvtColor without planes", lambda: cv2.cvtColor(packed, cv2.COLOR_YCrCb2RGB)
    pixels: np.ndarray = (
        data.view(encoding.kind).reshape(int(encoding.rows * HEIGHT), WIDTH, -1).squeeze()
    )
    if name == "rgb8":
        return "a copy", pixels.copy
    code = _CODES.get(re.sub("(?<=[a-z])(8|16)$", "", name))
    if encoding.kind is np.uint8:
        return "cv2.cvtColor", lambda: cv2.cvtColor(pixels, code or 0)

    def scaled() -> np.ndarray:
        narrow = np.empty(pixels.shape, np.uint8)
        cv2.normalize(pixels, narrow, 0, 255, cv2.NORM_MINMAX, cv2.CV_8U)
        return narrow if code is None else cv2.cvtColor(narrow, code)

    return "cv2.normalize and cv2.cvtColor", scaled


def _compressed(name: str, data: bytes) -> Record:
    message = CompressedImage(format=name, data=to_array("B", np.frombuffer(data, np.uint8)))
    stretch = Stretch()

    def peer() -> np.ndarray:
        picture = cv2.imdecode(np.frombuffer(data + b"\xff\xd9", np.uint8), cv2.IMREAD_COLOR)
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)

    what = "cv2.imdecode and cv2.cvtColor"
    return _record(name, lambda: decode_compressed(message, stretch), what, peer)


def _record(
    name: str, ours: Callable[[], np.ndarray], what: str, peer: Callable[[], np.ndarray]
) -> Record:
    """Measure both in turn, so that other load on the machine slows both."""
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        ours()
        between = time.perf_counter()
        peer()
        times.append((between - begin, time.perf_counter() - between))
    own, other = 1e3 * np.median(times, axis=0)
    return Record(f"faults/decode_ms/{name}", float(own), "ms", what, float(other))
