"""Files of parameters are judged as rcl reads them, and what is wrong is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("hamer_ros.msg", reason="needs the built messages")

import rclpy
from rclpy.context import Context
from rclpy.parameter import Parameter

from hamer_ros.errors import ConfigurationError, FileFormatError, MissingFileError
from hamer_ros.ros import main as program
from hamer_ros.ros.parameters import params_file
from hamer_ros.ros.parameters.ros_arguments import try_arguments

ROOT = Path(__file__).parents[1]
LAYOUT = "values stand below a node's name and ros__parameters, as in config/hamer.yaml"


def written(folder: Path, text: str) -> Path:
    path = folder / "my.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "/hamer:\n  ros__parameters:\n    beta: 2.0\n   max_age: 1.0\n",
            ", line 4, column 4: exp",
        ),
        ("/hamer:\n  ros__parameters:\n\tbeta: 2.0\n", ", line 3, column 1: found character '\\t'"),
        ("/hamer:\n  max_hands: 2\n", f"at line 2; {LAYOUT}"),
        ("max_hands: 2\n", f"at line 1; {LAYOUT}"),
        ("ros__parameters:\n  max_hands: 2\n", f"at line 1; {LAYOUT}"),
        ("/hamer:\n  ros__parameters:\n", f"at line 2; {LAYOUT}"),
        ("/hamer:\n  ros__parameters:\n    max_hands:\n", ": No value at line 3"),
        ("/hamer:\n  ros__parameters:\n    max_hands: [1, many]\n", "line_num 3"),
        ("/a b:\n  ros__parameters:\n    max_hands: 1\n", "must not contain characters"),
        ("- 1\n", ": "),
    ],
)
def test_what_rcl_cannot_read_is_named_in_a_line(tmp_path, text, words):
    path = written(tmp_path, text)
    with pytest.raises(FileFormatError) as caught:
        params_file.check(path)
    assert str(caught.value).startswith(str(path))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert ".c:" not in str(caught.value)  # places in rcl's source help nobody


def test_what_is_no_file_of_parameters_is_named(tmp_path):
    with pytest.raises(MissingFileError, match=r"nowhere.yaml: no such file"):
        params_file.check(tmp_path / "nowhere.yaml")
    with pytest.raises(FileFormatError, match="is a folder"):
        params_file.check(tmp_path)
    (tmp_path / "photo.yaml").write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00")
    with pytest.raises(FileFormatError, match=r"photo.yaml is no text"):
        params_file.check(tmp_path / "photo.yaml")


def test_a_file_in_a_folder_that_may_not_be_entered_is_named(tmp_path, monkeypatch):
    path = written(tmp_path, "")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refuse)  # root may enter every folder
    with pytest.raises(ConfigurationError, match=r"my.yaml: may not be read by the user"):
        params_file.check(path)


def test_files_that_rcl_can_read_are_sound(tmp_path):
    params_file.check(ROOT / "config" / "hamer.yaml")
    params_file.check(written(tmp_path, ""))
    params_file.check(written(tmp_path, "# nothing\n"))


SECTIONS = [
    *("hamer", "/hamer", "/**", "**", "*", "/*", "/*/hamer", "front/hamer", "/front/hamer"),
    *("/**/hamer", "/front/**", "/front/*", "*/hamer", "/*/*/hamer", "/camera"),
]


@pytest.mark.parametrize("name", ["/hamer", "/front/hamer", "/a/front/hamer"])
@pytest.mark.parametrize("section", SECTIONS)
def test_sections_belong_to_the_nodes_that_rcl_gives_them(tmp_path, section, name):
    path = written(tmp_path, yaml.safe_dump({section: {"ros__parameters": {"max_hands": 1}}}))
    namespace, _, own = name.rpartition("/")
    context = Context()
    rclpy.init(args=["--ros-args", "--params-file", str(path)], context=context)
    holder = rclpy.create_node(own, namespace=namespace, context=context)
    with holder.handle:
        is_given = bool(holder.handle.get_parameters(Parameter))
    holder.destroy_node()
    rclpy.try_shutdown(context=context)
    assert (params_file.not_for(path, name) is None) is is_given


def test_a_file_for_other_nodes_is_named_with_its_sections(tmp_path):
    path = written(
        tmp_path,
        "/hamer: {ros__parameters: {beta: 1.0}}\nleft: {hamer: {ros__parameters: {beta: 2.0}}}",
    )
    text = params_file.not_for(path, "/robot/front/hamer")
    assert f"{path} has no section for '/robot/front/hamer', only for /hamer, /left/hamer" in text
    assert params_file.not_for(path, "/left/hamer") is None


def test_a_file_with_values_of_one_camera_alone_is_no_mistake_of_the_others(tmp_path):
    path = written(tmp_path, "/front/hamer: {ros__parameters: {beta: 1.0}}")
    assert params_file.not_for(path, "/left/hamer") is None
    assert params_file.not_for(path, "/hamer") is not None
    assert params_file.not_for(path, "/front/other") is not None


def test_files_are_found_among_the_arguments():
    arguments = ["hamer_node", "--ros-args", "--params-file", "a.yaml", "-p", "beta:=1.0"]
    arguments += ["--params-file", "b.yaml", "--params-file"]
    assert params_file.named_in(arguments) == [Path("a.yaml"), Path("b.yaml")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--bogus"], "unknown ROS arguments: ['--bogus']"),
        (["-r", "image:=/a b"], "Couldn't parse remap rule: '-r image:=/a b'"),
        (["-p", "max_hands"], "Couldn't parse parameter override rule: '-p max_hands'"),
        (["--log-level", "loud"], "Couldn't parse log level: '--log-level loud'"),
    ],
)
def test_arguments_that_rcl_cannot_read_are_named(arguments, words):
    with pytest.raises(ConfigurationError) as caught:
        try_arguments(["--ros-args", *arguments])
    assert words in str(caught.value)
    assert ".c:" not in str(caught.value)


def test_the_node_ends_with_a_line_and_no_traceback(tmp_path, capfd):
    path = written(tmp_path, "[")
    assert program.main(["hamer_node", "--ros-args", "--params-file", str(path)]) == 2
    assert program.main(["hamer_node", "--ros-args", "--params-file", "nowhere.yaml"]) == 2
    assert program.main(["hamer_node", "--ros-args", "--bogus"]) == 2
    lines = capfd.readouterr().err.splitlines()
    assert [line.split(" ")[0] for line in lines] == ["hamer_node:"] * 3
    assert f"{path}, line 1" in lines[0]
