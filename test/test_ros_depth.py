"""Depth images in, metres out, or a reason why not."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import CAMERA

pytest.importorskip("sensor_msgs", reason="needs ROS 2")

from sensor_msgs.msg import Image

from hamer_ros.ros.images.depth_images import DepthError, decode_depth

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
