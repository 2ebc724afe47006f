"""Depth images in, metres out, or a reason why not."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import CAMERA

pytest.importorskip("sensor_msgs", reason="needs ROS 2")

from sensor_msgs.msg import Image
from std_msgs.msg import Header

from hamer_ros.ros.depth_images import DepthError, decode_depth
from hamer_ros.ros.depth_input import TOLERANCE_NS, DepthInput

METRES = np.linspace(0.2, 3.0, CAMERA.width * CAMERA.height, dtype=np.float32).reshape(
    CAMERA.height, CAMERA.width
)


def message(encoding: str, values: np.ndarray, big: bool = False, padding: int = 0) -> Image:
    values = values.astype(values.dtype.newbyteorder(">" if big else "<"))
    rows = np.pad(values.view(np.uint8), ((0, 0), (0, padding)))
    return Image(
        height=values.shape[0],
        width=values.shape[1],
        encoding=encoding,
        step=rows.shape[1],
        is_bigendian=int(big),
        data=rows.tobytes(),
    )


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("padding", [0, 8])
def test_millimetres_and_metres_are_metres(big, padding):
    mm = message("16UC1", np.round(1000 * METRES).astype(np.uint16), big, padding)
    np.testing.assert_allclose(decode_depth(mm, "depth", CAMERA), METRES, atol=6e-4)
    m = message("32FC1", METRES, big, padding)
    np.testing.assert_array_equal(decode_depth(m, "depth", CAMERA), METRES)


def test_holes_stay_holes():
    holes = METRES.copy()
    holes[::2] = np.nan
    depth = decode_depth(message("32FC1", holes), "depth", CAMERA)
    assert np.isnan(depth[::2]).all()


def test_what_does_not_fit_is_refused_by_reason():
    small = message("32FC1", METRES[:-1])
    with pytest.raises(DepthError, match="640x479, the image 640x480") as error:
        decode_depth(small, "depth", CAMERA)
    assert error.value.reason == "depth of another size"
    with pytest.raises(DepthError, match=r"'rgb8'; known are: 16UC1"):
        decode_depth(message("rgb8", METRES), "depth", CAMERA)
    short = message("32FC1", METRES)
    short.data = short.data[:100]
    with pytest.raises(DepthError, match="100 bytes"):
        decode_depth(short, "depth", CAMERA)


class Quiet:
    """A node without a middleware: what is subscribed to is called by the test."""

    def create_subscription(self, kind, topic, callback, *_, **__):
        self.callback, self.topic_name = callback, topic
        return self


def stamped(nanoseconds: int, frame: str) -> Header:
    header = Header(frame_id=frame)
    header.stamp.nanosec = nanoseconds
    return header


def test_the_depth_image_of_the_same_moment_is_taken():
    node = Quiet()
    depth = DepthInput(node)
    for k in range(5):
        image = message("32FC1", np.full_like(METRES, 0.5 + 0.1 * k))
        image.header = stamped(33_000_000 * k, "camera")
        node.callback(image)
    found = depth.belonging_to(stamped(2 * 33_000_000 + TOLERANCE_NS // 2, "camera"), CAMERA)
    np.testing.assert_array_equal(found, np.float32(0.7))
    with pytest.raises(DepthError) as error:
        depth.belonging_to(stamped(900_000_000, "camera"), CAMERA)
    assert error.value.reason == "no depth"


def test_a_depth_image_that_is_not_aligned_is_refused():
    node = Quiet()
    depth = DepthInput(node)
    image = message("32FC1", METRES)
    image.header = stamped(0, "depth_optical_frame")
    node.callback(image)
    with pytest.raises(DepthError, match="is in 'depth_optical_frame', the image in 'camera'"):
        depth.belonging_to(stamped(0, "camera"), CAMERA)
