"""Messages that belong together become pixels, camera, depth and boxes, or a reason why not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("sensor_msgs", reason="needs ROS 2")
pytest.importorskip("hamer_ros.msg", reason="needs the built messages")

from sensor_msgs.msg import CameraInfo, Image

from hamer_ros.hands import ExternalBox, Handedness, IntrinsicsSource
from hamer_ros.ros.images.decode import encode_rgb
from hamer_ros.ros.images.depth_images import DepthError
from hamer_ros.ros.input.frame_messages import FrameMessages
from hamer_ros.ros.input.frame_reader import FrameReader
from hamer_ros.ros.input.frame_rejection import FrameRejectedError
from hamer_ros.ros.input.topics import Topics
from hamer_ros.ros.monitoring.observations import Observations
from hamer_ros.ros.parameters.table import Parameters

WIDTH, HEIGHT = 64, 48
RGB = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
K = [60.0, 0.0, 30.0, 0.0, 60.0, 24.0, 0.0, 0.0, 1.0]
DEPTH = np.linspace(0.3, 2.0, WIDTH * HEIGHT, dtype=np.float32).reshape(HEIGHT, WIDTH)


class World:
    """A reader, and what it says."""

    def __init__(self) -> None:
        self.said: dict[str, str] = {}
        self.without_depth: list[str] = []
        topics = Topics("/image", "/camera_info", "/depth")
        self.reader = FrameReader(topics, Observations(self), self.without_depth.append)
        self.parameters = Parameters()

    def warning(self, text: str) -> bool:
        subject, _, detail = text.partition(": ")
        self.said[subject] = detail
        return True

    info = warning

    def read(self, *, frame_id: str = "camera", **parts):
        parameters = replace(self.parameters, **parts.pop("parameters", {}))
        image = encode_rgb(RGB)
        image.header.frame_id = frame_id
        messages = FrameMessages(image, 0.0, **({"info": camera_info()} | parts))
        return self.reader.read(messages, parameters)


def camera_info(frame_id: str = "camera", **change) -> CameraInfo:
    info = CameraInfo(**({"width": WIDTH, "height": HEIGHT, "k": K} | change))
    info.header.frame_id = frame_id
    return info


def depth_image(frame_id: str = "camera", metres: np.ndarray = DEPTH) -> Image:
    image = Image(
        height=metres.shape[0],
        width=metres.shape[1],
        encoding="32FC1",
        step=4 * metres.shape[1],
        data=metres.tobytes(),
    )
    image.header.frame_id = frame_id
    return image


@pytest.fixture
def world() -> World:
    return World()


def test_everything_about_an_image_is_read(world):
    read = world.read(depth=depth_image(), parameters={"use_depth": True})
    np.testing.assert_array_equal(read.frame.rgb, RGB)
    np.testing.assert_array_equal(read.frame.camera.matrix.ravel(), K)
    np.testing.assert_array_equal(read.frame.depth, DEPTH)
    assert read.header.frame_id == "camera"
    assert read.source is IntrinsicsSource.CAMERA_INFO
    assert world.said == {}


def test_depth_that_was_not_asked_for_is_not_read(world):
    assert world.read(depth=depth_image()).frame.depth is None


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        (None, "no camera_info"),
        ({"k": [0.0] * 9}, "uncalibrated camera"),
        ({"k": [float("nan")] * 9}, "bad camera_info"),
        ({"width": 40}, "size differs from camera_info"),
    ],
)
def test_an_image_without_usable_intrinsics_is_refused_by_reason(world, info, reason):
    message = None if info is None else camera_info(**info)
    with pytest.raises(FrameRejectedError, match="/camera_info") as error:
        world.read(info=message)
    assert error.value.reason == reason


def test_a_bad_image_is_refused_with_its_topic(world):
    image = encode_rgb(RGB)
    image.header.frame_id, image.encoding = "camera", "rgb9"
    with pytest.raises(FrameRejectedError, match="/image: encoding is 'rgb9'") as error:
        world.reader.read(FrameMessages(image, 0.0, camera_info()), world.parameters)
    assert error.value.reason == "bad image"


def test_planes_that_may_have_rows_of_filling_are_told_of(world):
    image = Image(width=WIDTH, height=HEIGHT, encoding="nv12", step=WIDTH)
    image.header.frame_id, image.data = "camera", bytes(2 * WIDTH * HEIGHT)
    world.reader.read(FrameMessages(image, 0.0, camera_info()), world.parameters)
    assert "/image: data of this" in world.said["more data than planes"]


def test_a_guess_is_told_and_its_source_kept(world):
    read = world.read(info=None, parameters={"assumed_horizontal_fov": 60.0})
    assert read.source is IntrinsicsSource.ASSUMED_FIELD_OF_VIEW
    assert read.frame.camera.focal_sigma > 0.05
    assert len(world.said) == 1


def test_images_without_any_frame_are_refused(world):
    with pytest.raises(FrameRejectedError) as error:
        world.read(frame_id="", info=camera_info(""))
    assert error.value.reason == "no frame_id"


def test_an_odd_frame_is_put_right_and_said_with_the_topic(world):
    assert world.read(frame_id="/camera").header.frame_id == "camera"
    assert world.said["frame_id with a slash"].startswith("/image: ")


def test_a_frame_that_changes_is_said(world):
    world.read()
    world.read(frame_id="other", info=camera_info("other"))
    assert "'camera'" in world.said["frame_id changes"]
    assert "'other'" in world.said["frame_id changes"]


def test_intrinsics_of_the_moment_are_used(world):
    near = [v * f for v, f in zip(K, [2.0, 1, 1, 1, 2, 1, 1, 1, 1], strict=True)]
    focal = [world.read(info=camera_info(k=k)).frame.camera.fx for k in (K, near, K)]
    assert focal == [60.0, 120.0, 60.0]


@pytest.mark.parametrize(
    ("depth", "offset", "reason", "words"),
    [
        (None, None, "no depth", "has come on '/depth' within 0.1 s"),
        (None, 45_000_000, "depth of another time", "45.0 ms later, depth_tolerance is 20 ms"),
        (None, -31_000_000, "depth of another time", "31.0 ms earlier"),
        (depth_image("depth_frame"), None, "depth of another frame", "is in 'depth_frame'"),
        (depth_image(metres=DEPTH[:-1]), None, "depth of another size", "64x47"),
    ],
)
def test_an_image_is_read_without_depth_that_fails_and_the_reason_counted(
    world, monkeypatch, depth, offset, reason, words
):
    monkeypatch.setattr("hamer_ros.ros.input.frame_reader.DISCOVERY_TIME", 0.0)
    read = world.read(depth=depth, depth_offset=offset, parameters={"use_depth": True})
    assert read.frame.depth is None
    assert world.without_depth == [reason]
    assert words in world.said[reason]


def test_depth_in_a_frame_with_a_slash_is_that_frame(world):
    read = world.read(depth=depth_image("/camera"), parameters={"use_depth": True})
    assert read.frame.depth is not None


def test_mirrored_images_are_turned_back_with_all_that_belongs_to_them(world):
    box = ExternalBox(np.array([1.0, 2.0, 11.0, 12.0]), Handedness.LEFT, 0.9)
    read = world.read(
        depth=depth_image(), boxes=(box,), parameters={"use_depth": True, "mirrored": True}
    )
    np.testing.assert_array_equal(read.frame.rgb, RGB[:, ::-1])
    np.testing.assert_array_equal(read.frame.depth, DEPTH[:, ::-1])
    assert read.frame.camera.cx == WIDTH - 1 - K[2]
    np.testing.assert_array_equal(read.frame.boxes[0].bounding_box, [52, 2, 62, 12])
    assert read.is_mirrored


def test_late_depth_of_another_frame_is_refused_as_well(world):
    world.read()
    with pytest.raises(DepthError, match="is in 'depth_frame'"):
        world.reader.read_late_depth(depth_image("depth_frame"), world.parameters)
