"""The launch files, where launch exists: they explain themselves, and what they start works."""

from __future__ import annotations

import asyncio
import os
import runpy
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import pytest

pytest.importorskip("launch", reason="launch has no wheel")
pytest.importorskip("launch_ros", reason="launch_ros has no wheel")
pytest.importorskip("hamer_ros.msg", reason="needs the built messages")

import rclpy
from ament_index_python.packages import get_package_share_directory
from helpers import MODEL
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity, LaunchService
from launch.actions import (
    IncludeLaunchDescription,
    RegisterEventHandler,
    Shutdown,
    TimerAction,
)
from launch.event_handlers import OnProcessExit, OnProcessIO, OnProcessStart
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import Node
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from tf2_msgs.msg import TFMessage

from hamer_ros.demo.processes import free_domain
from hamer_ros.demo.rendered_source import CAMERA
from hamer_ros.msg import HandMeshArray
from hamer_ros.rendering.clip import clip_frame

pytestmark = pytest.mark.usefixtures("models")

LAUNCH = Path(get_package_share_directory("hamer_ros")) / "launch"
LAUNCH_FILES = sorted(LAUNCH.glob("*.launch.py"))
TIMEOUT_SECONDS = 60.0
"""Seconds; only a failure takes as long."""


@pytest.fixture(autouse=True)
def domain(monkeypatch) -> int:
    """A domain that nobody else uses."""
    domain = free_domain("0")
    monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    return domain


class Listener:
    """Hears what the launched nodes publish, in a thread of its own."""

    def __init__(self, domain: int) -> None:
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain)
        self._node = rclpy.create_node("listener", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._closing = threading.Event()
        self.heard: dict[str, list] = {}

    def listen(self, kind: type, topic: str) -> None:
        self.heard[topic] = []
        self._node.create_subscription(kind, topic, self.heard[topic].append, 10)

    def both_hands(self, topic: str) -> bool:
        return any(len(array.hands) == 2 for array in self.heard[topic])

    def frames(self) -> set[str]:
        """Child frames on /tf."""
        return {t.child_frame_id for message in self.heard["/tf"] for t in message.transforms}

    def node_names(self) -> set[str]:
        pairs = self._node.get_node_names_and_namespaces()
        return {f"{namespace.rstrip('/')}/{name}" for name, namespace in pairs}

    def spin_until(self, done: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not done():
            if self._closing.is_set() or time.monotonic() > deadline:
                return False
            self._executor.spin_once(timeout_sec=0.1)
        return True

    def stop(self) -> None:
        self._closing.set()

    def close(self) -> None:
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.try_shutdown(context=self._context)


@pytest.fixture
def listener(domain) -> Iterator[Listener]:
    listener = Listener(domain)
    listener.listen(TFMessage, "/tf")
    yield listener
    listener.close()


class Launch:
    """One run of a launch service: what its processes said and how they ended.

    A process that does not end within 10 s of the interrupt is killed and has exit code -9.
    """

    def __init__(self, *entities: LaunchDescriptionEntity) -> None:
        self.said = ""
        self.started = 0
        self.exit_codes: list[int] = []
        self._enough: Callable[[], bool] = lambda: False
        asyncio.set_event_loop(asyncio.new_event_loop())
        self._service = LaunchService(argv=[])
        self._service.include_launch_description(
            LaunchDescription(
                [
                    RegisterEventHandler(OnProcessIO(on_stdout=self._heard, on_stderr=self._heard)),
                    RegisterEventHandler(OnProcessStart(on_start=self._has_started)),
                    RegisterEventHandler(OnProcessExit(on_exit=self._has_ended)),
                    TimerAction(period=2 * TIMEOUT_SECONDS, actions=[Shutdown(reason="timeout")]),
                    *entities,
                ]
            )
        )

    def run(self, enough: Callable[[], bool] = lambda: False) -> int:
        """Run until it ends by itself, or enough has been said and done; the exit status."""
        self._enough = enough
        return self._service.run()

    def run_until_heard(self, listener: Listener, done: Callable[[], bool]) -> bool:
        """Run until something has been published; whether it was, and all ended well after it."""
        heard: list[bool] = []

        def wait() -> None:
            heard.append(listener.spin_until(done))
            self._service.shutdown()

        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        status = self._service.run()
        listener.stop()
        thread.join()
        return heard == [True] and status == 0

    def _heard(self, event) -> list[Shutdown]:
        self.said += event.text.decode()
        return self._next()

    def _has_started(self, event, context) -> list[Shutdown]:
        self.started += 1
        return self._next()

    def _has_ended(self, event, context) -> list[Shutdown]:
        self.exit_codes.append(event.returncode)
        return self._next()

    def _next(self) -> list[Shutdown]:
        if not self._enough():
            return []
        self._enough = lambda: False  # once is enough
        return [Shutdown()]


def include(name: str, **arguments: str) -> IncludeLaunchDescription:
    return IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(LAUNCH / name)), launch_arguments=arguments.items()
    )


def camera(namespace: str, photo: Path) -> Node:
    return Node(
        package="hamer_ros",
        executable="hamer_camera",
        namespace=namespace,
        arguments=[str(photo), "--camera", CAMERA, "--rate", "5"],
    )


@pytest.fixture
def photo(tmp_path) -> Path:
    path = tmp_path / "hands.png"
    cv2.imwrite(str(path), clip_frame(MODEL, 0).rgb[..., ::-1])
    return path


# Arguments


@pytest.mark.parametrize("file", LAUNCH_FILES, ids=lambda file: file.name)
def test_every_argument_is_described(file):
    description = PythonLaunchDescriptionSource(
        str(file)
    ).try_get_launch_description_without_context()
    arguments = description.get_launch_arguments()
    shared = {"image_topic", "checkpoint", "estimator", "device", "params_file", "respawn"}
    assert {argument.name for argument in arguments} >= shared
    assert [a.name for a in arguments if len(a.description) <= 15] == []


def test_arguments_of_one_camera_are_not_offered_for_several():
    source = PythonLaunchDescriptionSource(str(LAUNCH / "multi_camera.launch.py"))
    description = source.try_get_launch_description_without_context()
    names = {argument.name for argument in description.get_launch_arguments()}
    assert names & {"camera", "namespace", "tf_prefix"} == set()


@pytest.mark.parametrize(
    ("file", "arguments"),
    [
        ("hamer.launch.py", {"rectified": "maybe"}),
        ("hamer.launch.py", {"respawn": "maybe"}),
        ("hamer.launch.py", {"assumed_horizontal_fov": "wide"}),
        ("hamer.launch.py", {"image_topic": "/{lens}/image_raw"}),
        ("hamer.launch.py", {"log_level": "loud"}),
        ("hamer.launch.py", {"params_file": "/nowhere/my.yaml"}),
        ("hamer.launch.py", {"params_file": __file__}),
        ("hamer.launch.py", {"namespace": "my robot"}),
        ("hamer.launch.py", {"tf_prefix": "my robot"}),
        ("hamer.launch.py", {"image_topic": "/{camera}/image_raw/compressed"}),
        ("hamer.launch.py", {"depth_topic": "/{camera}/depth/compressedDepth"}),
        ("multi_camera.launch.py", {"cameras": "front,left", "params_file": "/nowhere/my.yaml"}),
        ("multi_camera.launch.py", {"cameras": "front,front"}),
        ("demo.launch.py", {"rviz": "maybe"}),
    ],
)
def test_an_argument_that_cannot_be_ends_the_launch_before_anything_starts(file, arguments):
    launched = Launch(include(file, **arguments))
    assert launched.run() == 1
    assert launched.started == 0


# One camera


@pytest.mark.parametrize("own", [None, "FASTRTPS_DEFAULT_PROFILES_FILE"])
def test_a_robots_own_profiles_of_fast_dds_are_left_alone(monkeypatch, own):
    for prefix in ("FASTRTPS", "FASTDDS"):
        monkeypatch.delenv(f"{prefix}_DEFAULT_PROFILES_FILE", raising=False)
    if own:
        monkeypatch.setenv(own, "/robot/profiles.xml")
    file = runpy.run_path(str(LAUNCH / "hamer.launch.py"))
    assert len(file["profiles"](LaunchContext())) == (0 if own else 2)


def test_the_node_comes_up_with_the_names_and_topics_asked_for():
    launched = Launch(
        include(
            "hamer.launch.py",
            camera="wrist",
            image_topic="/{camera}/image_rect",
            rectified="true",
            namespace="arm",
        )
    )
    topics = "images from '/wrist/image_rect', intrinsics from '/wrist/camera_info'"
    assert launched.run(lambda: topics in launched.said) == 0
    assert topics in launched.said
    assert "[arm.hamer]" in launched.said
    assert launched.exit_codes == [0]


def parameters(folder: Path, values: str) -> str:
    path = folder / "params.yaml"
    path.write_text(f"/**: {{ros__parameters: {{{values}}}}}")
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "refused"),
    [({}, "estimator is 'magic'"), ({"estimator": "landmarks"}, "detector is 'external'")],
    ids=["as the file says", "the argument goes before it"],
)
def test_arguments_go_before_the_file_of_parameters(tmp_path, arguments, refused):
    file = parameters(tmp_path, "detector: external, estimator: magic")
    launched = Launch(include("hamer.launch.py", params_file=file, **arguments))
    launched.run(lambda: refused in launched.said)
    assert refused in launched.said


def test_a_text_that_looks_like_a_number_stays_a_text():
    launched = Launch(include("hamer.launch.py", tf_prefix="1", respawn="false"))
    launched.run(lambda: "images from" in launched.said or bool(launched.exit_codes))
    assert "images from" in launched.said


@pytest.mark.parametrize(("respawn", "starts"), [("true", 2), ("false", 1)])
def test_a_node_that_dies_is_started_again_unless_that_is_not_wanted(tmp_path, respawn, starts):
    file = parameters(tmp_path, "max_hands: 1")
    kill = OnProcessStart(on_start=lambda event, _: os.kill(event.pid, signal.SIGKILL))
    launched = Launch(
        RegisterEventHandler(kill), include("hamer.launch.py", params_file=file, respawn=respawn)
    )
    launched.run(lambda: len(launched.exit_codes) == starts)
    assert launched.started == starts
    assert 0 not in launched.exit_codes


def test_a_wrong_parameter_is_named_and_the_node_lives(tmp_path):
    file = parameters(tmp_path, "max_hands: many")
    launched = Launch(include("hamer.launch.py", params_file=file))
    reason = "configure failed: max_hands: Trying to set parameter 'max_hands' to 'many'"
    launched.run(lambda: reason in launched.said)
    assert reason in launched.said
    assert (launched.started, launched.exit_codes) == (1, [0])


# Several cameras


def test_two_cameras_have_two_streams_of_hands(listener, photo):
    cameras = ("front", "left")
    topics = {f"/{name}/hamer/hands" for name in cameras}
    for topic in topics:
        listener.listen(HandMeshArray, topic)
    frames = {f"{name}_hand_{handedness}" for name in cameras for handedness in ("left", "right")}
    names = {f"/{name}/hamer" for name in cameras}
    launched = Launch(
        include("multi_camera.launch.py", cameras=",".join(cameras)),
        *(camera(name, photo) for name in cameras),
    )
    assert launched.run_until_heard(
        listener,
        lambda: (
            all(map(listener.both_hands, topics))
            and frames <= listener.frames()
            and names <= listener.node_names()
        ),
    ), launched.said
    assert all(frame.startswith(("front_hand_", "left_hand_")) for frame in listener.frames())
    assert launched.exit_codes == [0] * 4


# The demo


def test_the_demo_publishes_hands_and_ends_when_told_to(listener):
    listener.listen(HandMeshArray, "/hamer/hands")
    launched = Launch(include("demo.launch.py"))
    assert launched.run_until_heard(
        listener,
        lambda: (
            listener.both_hands("/hamer/hands") and {"hand_left", "hand_right"} <= listener.frames()
        ),
    ), launched.said
    assert {array.header.frame_id for array in listener.heard["/hamer/hands"]} == {
        "camera_optical_frame"
    }
    assert launched.exit_codes == [0, 0]


def test_without_its_source_the_demo_ends_and_says_why():
    launched = Launch(include("demo.launch.py", source="nowhere.mp4"))
    launched.run()
    assert "'nowhere.mp4' does not exist" in launched.said
    assert len(launched.exit_codes) == 2
    assert 1 in launched.exit_codes  # of the camera; the node may be interrupted while it imports
