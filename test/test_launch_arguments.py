"""What launch files are made of, where there is no launch: their texts, names and tables."""

from __future__ import annotations

import ast
import collections
import dataclasses
import importlib.util
import itertools
import re
import sys
import types
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from hamer_ros.demo.sources import STILL_SECONDS
from hamer_ros.errors import MissingFileError
from hamer_ros.rendering.clip import HEIGHT, WIDTH

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("hamer_ros.msg", reason="needs the built messages")

from hamer_ros.demo import camera_command as player
from hamer_ros.ros.images.transports import DEPTH_TRANSPORTS, IMAGE_TRANSPORTS, OTHER_TRANSPORTS
from hamer_ros.ros.parameters import launch_arguments as launching
from hamer_ros.ros.parameters.table import Parameters

ROOT = Path(__file__).parents[1]
LAUNCH_FILES = sorted((ROOT / "launch").glob("*.launch.py"))


def constants(file: Path) -> dict[str, ast.expr]:
    """The values of a module's upper-case names, unevaluated."""
    return {
        target.id: statement.value
        for statement in ast.parse(file.read_text()).body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name) and target.id.isupper()
    }


@pytest.mark.parametrize("file", LAUNCH_FILES, ids=lambda file: file.name)
def test_a_launch_file_compiles_and_describes_itself(file):
    tree = ast.parse(file.read_text())
    assert f"ros2 launch hamer_ros {file.name}" in ast.get_docstring(tree)
    assert "generate_launch_description" in {getattr(node, "name", "") for node in tree.body}
    assert f"ros2 launch hamer_ros {file.name}" in (ROOT / "docs" / "launch.md").read_text()


OTHERS = {"depth_registration", "cameras"}
"""Arguments of other drivers, and the one that multi_camera.launch.py declares by itself."""


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name
)
def test_the_documentation_gives_arguments_that_there_are(page):
    known = {
        ast.literal_eval(key)
        for name in ("hamer", "demo")
        for key in constants(ROOT / "launch" / f"{name}.launch.py")["ARGUMENTS"].keys
    }
    given = set(re.findall(r"(?<![\w.])(\w+):=", page.read_text()))
    assert given - OTHERS <= known


def test_arguments_that_are_parameters_are_parameters_of_that_type():
    table = constants(ROOT / "launch" / "hamer.launch.py")
    arguments = {ast.literal_eval(key) for key in table["ARGUMENTS"].keys}
    types = {
        field.name: type(field.metadata["default"]) for field in dataclasses.fields(Parameters)
    }
    types["use_sim_time"] = bool  # every node has it
    given = {
        kind: set(ast.literal_eval(table[name]))
        for name, kind in {"TEXTS": str, "NUMBERS": float, "FLAGS": bool}.items()
    }
    for kind, names in given.items():
        assert {types[name] for name in names} == {kind}
    assert arguments & set(types) == set.union(*given.values())


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("True", True), ("false", False), ("False", False)]
)
def test_flags(text, value):
    assert launching.flag("rectified", text) is value


@pytest.mark.parametrize("text", ["maybe", "1", "", "yes"])
def test_what_is_neither_true_nor_false_is_refused_with_the_arguments_name(text):
    with pytest.raises(ValueError, match=f"rectified is '{text}'; it is true or false"):
        launching.flag("rectified", text)


@pytest.mark.parametrize(
    ("text", "camera", "name"),
    [
        ("/{camera}/image_raw", "front", "/front/image_raw"),
        ("/{camera}/{camera}/color/image_raw", "left", "/left/left/color/image_raw"),
        ("/image_raw", "front", "/image_raw"),
        ("{camera}/image_raw", "robot/front", "/robot/front/image_raw"),
    ],
)
def test_the_cameras_name_is_put_into_its_topics(text, camera, name):
    assert launching.topic("image_topic", text, camera) == name


@pytest.mark.parametrize("text", ["", "/{cam}/image_raw", "/a b", "/1/image", "/{camera}/"])
def test_a_topic_that_cannot_be_is_refused_with_the_arguments_name(text):
    with pytest.raises(ValueError, match="image_topic is '"):
        launching.topic("image_topic", text, "front")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        (
            "/cam/image_raw/compressed",
            "give image_topic:=/cam/image_raw image_transport:=compressed",
        ),
        ("/cam/image_raw/theora", "theora is not taken; give image_topic:=/cam/image_raw, and"),
        ("/image/compressedDepth", "compressedDepth is not taken; give image_topic:=/image, and"),
    ],
)
def test_the_topic_of_a_transport_is_refused_with_the_remedy(name, remedy):
    with pytest.raises(
        ValueError, match=r"image_topic is '.*', the topic of a transport"
    ) as caught:
        launching.check_base("image_topic", name, "image_transport", IMAGE_TRANSPORTS)
    assert remedy in str(caught.value)


@pytest.mark.parametrize("name", ["/cam/image_raw", "/compressed", "/compressed/image"])
def test_other_topics_are_taken_as_they_are(name):
    launching.check_base("image_topic", name, "image_transport", ("raw",))


def test_every_transport_that_is_taken_has_a_topic_that_is_known():
    assert {*IMAGE_TRANSPORTS, *DEPTH_TRANSPORTS} - {"raw", "auto"} <= set(OTHER_TRANSPORTS)


@pytest.mark.parametrize("text", ["", "arm", "/arm", "robot/arm", "/robot/arm"])
def test_namespaces(text):
    assert launching.namespace(text) == text


@pytest.mark.parametrize("text", ["my robot", "1st", "a//b", "a-b"])
def test_a_namespace_that_cannot_be_is_refused(text):
    with pytest.raises(ValueError, match=f"namespace is '{text}'"):
        launching.namespace(text)


def test_a_file_of_parameters_may_lie_in_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "my.yaml").write_text("/hamer: {ros__parameters: {max_hands: 2}}")
    assert launching.parameters_file("~/my.yaml") == str(tmp_path / "my.yaml")
    with pytest.raises(MissingFileError, match=r"your.yaml: no such file"):
        launching.parameters_file("~/your.yaml")


def test_camera_info_lies_beside_the_image():
    assert launching.camera_info_topic("/{camera}/color/image_raw") == "/{camera}/color/camera_info"
    assert launching.camera_info_topic("/image_raw") == "/camera_info"


def test_cameras_are_told_apart_by_their_names():
    assert launching.camera_names("front, left_2") == ("front", "left_2")
    for text, reason in {
        "": "'' is not a name",
        "front,,left": "'' is not a name",
        "front,1st": "'1st' is not a name",
        "front,arm/left": "'arm/left' is not a name",
        "front,left,front": "names a camera twice",
    }.items():
        with pytest.raises(ValueError, match=f"cameras is '{text}'.*{reason}"):
            launching.camera_names(text)


def test_rviz_shows_topics_that_the_node_has():
    manager = yaml.safe_load((ROOT / "config" / "hands.rviz").read_text())["Visualization Manager"]
    topics = {d["Topic"]["Value"] for d in manager["Displays"] if "Topic" in d}
    assert topics == {"/hamer/markers", "/hamer/overlay"}
    assert manager["Global Options"]["Fixed Frame"] == "camera_optical_frame"


# The player


def test_the_rendered_clip_is_a_loop_and_rendered_once():
    source = player.looped_clip(0.4)
    first, second = list(source.frames()), list(source.frames())
    assert len(first) == 2
    assert [frame.shape for frame in first] == [(HEIGHT, WIDTH, 3)] * 2
    assert not np.array_equal(*first)
    assert all(a is b for a, b in zip(first, second, strict=True))


def test_a_photograph_comes_again_and_again(tmp_path):
    cv2.imwrite(str(tmp_path / "photo.png"), np.zeros((48, 64, 3), np.uint8))
    source = player.looped_source(str(tmp_path / "photo.png"), None)
    assert source.rate == player.STILL_RATE
    assert len(list(source.frames())) == STILL_SECONDS * player.STILL_RATE
    assert player.looped_source(str(tmp_path / "photo.png"), 2.0).rate == 2.0


def test_a_video_keeps_its_own_rate(tmp_path):
    path = str(tmp_path / "video.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), 12.0, (64, 48))
    writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    assert player.looped_source(path, None).rate == pytest.approx(12.0)


def test_a_webcam_is_never_played_to_its_end(monkeypatch):
    monkeypatch.setattr("hamer_ros.demo.sources.Path.exists", lambda _: True)
    monkeypatch.setattr("hamer_ros.demo.sources.os.access", lambda *_: True)
    monkeypatch.setattr("hamer_ros.demo.sources._captured", lambda _: itertools.repeat("frame"))
    frames = player.looped_source("987", 30.0).frames()
    assert next(itertools.islice(frames, 10_000, None)) == "frame"


def test_a_source_that_cannot_be_played_is_a_reason_and_no_traceback(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["hamer_camera", "nowhere", "--ros-args", "-r", "a:=b"])
    with pytest.raises(SystemExit, match="hamer_camera: 'nowhere' does not exist"):
        player.main()


def test_numbers_are_numbers():
    assert launching.number("assumed_horizontal_fov", "60") == 60.0
    for text in ("wide", "", "nan", "inf"):
        with pytest.raises(ValueError, match=f"assumed_horizontal_fov is '{text}'"):
            launching.number("assumed_horizontal_fov", text)


class Described:
    """Stands for anything of launch and launch_ros: keeps what it was made with."""

    def __init__(self, *positional, **named) -> None:
        self.positional, self.named = positional, named

    @property
    def name(self) -> str:
        return self.positional[0]

    def __getattr__(self, name: str):
        return lambda *positional, **named: self


def loaded(file: Path, monkeypatch) -> types.ModuleType:
    """A launch file as a module, with stand-ins for launch and launch_ros."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in (
            "launch",
            "launch_ros",
        ):
            stand_in = sys.modules.get(node.module)
            if not isinstance(stand_in, types.SimpleNamespace):
                stand_in = types.SimpleNamespace()
                monkeypatch.setitem(sys.modules, node.module, stand_in)
            for alias in node.names:
                setattr(stand_in, alias.name, Described)
    spec = importlib.util.spec_from_file_location(file.stem.replace(".", "_"), file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def with_values(**values: str) -> types.SimpleNamespace:
    """A context of launch in which arguments have values, and all others none."""
    return types.SimpleNamespace(
        launch_configurations=collections.defaultdict(str, values), environment={}
    )


def test_the_camera_of_the_demo_is_told_what_to_play(monkeypatch):
    file = loaded(ROOT / "launch" / "demo.launch.py", monkeypatch)
    (node,) = file.camera(with_values(source="a.mp4", rate="10", camera="front"))
    assert node.named["arguments"] == ["a.mp4", "--rate", "10"]
    assert node.named["namespace"] == "front"
    (clip,) = file.camera(with_values(camera="camera"))
    assert clip.named["arguments"] == []


def test_every_camera_gets_a_node_and_a_prefix(monkeypatch):
    file = loaded(ROOT / "launch" / "multi_camera.launch.py", monkeypatch)
    groups = file.nodes(with_values(cameras="front,left", rectified="true"), ["rectified"])
    given = [dict(group.positional[0][0].named["launch_arguments"]) for group in groups]
    assert [arguments["tf_prefix"] for arguments in given] == ["front_", "left_"]
    assert all(arguments["rectified"] == "true" for arguments in given)


def test_the_node_is_given_its_arguments_by_their_types(monkeypatch):
    file = loaded(ROOT / "launch" / "hamer.launch.py", monkeypatch)
    values = with_values(
        image_topic="/rig/image_raw",
        depth_topic="/rig/depth",
        boxes_topic="/rig/boxes",
        rectified="true",
        assumed_horizontal_fov="60",
        respawn="false",
        params_file=str(ROOT / "config" / "hamer.yaml"),
    )
    (node,) = file.node(values)
    assert ("image", "/rig/image_raw") in node.named["remappings"]
    assert ("camera_info", "/rig/camera_info") in node.named["remappings"]
    typed = node.named["parameters"][1]
    assert typed["rectified"] is True
    assert typed["assumed_horizontal_fov"] == 60.0
