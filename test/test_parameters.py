"""Parameters are described, ranged, written down once more in YAML, and refused when wrong."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("hamer_ros.msg", reason="needs the built messages")

import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos_overriding_options import QoSOverridingOptions
from std_msgs.msg import Empty

from hamer_ros.demo.processes import free_domain
from hamer_ros.inference.device import Device
from hamer_ros.ros.parameters import declare as parameters
from hamer_ros.ros.parameters.document import table_text
from hamer_ros.ros.parameters.table import Parameters

ROOT = Path(__file__).parents[1]


@pytest.fixture
def node() -> Iterator[Node]:
    context = Context()
    rclpy.init(context=context, domain_id=free_domain("0"))
    node = rclpy.create_node("holder", context=context)
    parameters.declare(node)
    yield node
    node.destroy_node()
    rclpy.try_shutdown(context=context)


def test_the_yaml_file_repeats_the_defaults():
    content = yaml.safe_load((ROOT / "config" / "hamer.yaml").read_text())
    assert content["/**"]["ros__parameters"] == {
        field.name: field.metadata["default"] for field in dataclasses.fields(Parameters)
    }


def test_the_comments_of_the_yaml_file_tell_what_is_live_the_choices_and_the_range():
    text = (ROOT / "config" / "hamer.yaml").read_text()
    blocks = re.findall(r"((?:^    # .*\n)+)    (\w+):", text, re.MULTILINE)
    comments = {name: " ".join(comment.replace("    # ", "").split()) for comment, name in blocks}
    for field in dataclasses.fields(Parameters):
        meta, comment = field.metadata, comments[field.name]
        assert comment.startswith("* ") is meta["live"], field.name
        assert [choice for choice in meta["choices"] if choice not in comment] == []
        if meta["limits"] is not None:
            low, high = meta["limits"]
            assert f"({low:g} to {high:g})" in comment, field.name


def test_the_documentation_has_the_table_of_parameters():
    page = (ROOT / "docs" / "parameters.md").read_text()
    assert table_text() in page
    assert page.count("| parameter |") == 1


def test_the_table_has_a_row_for_every_parameter_with_its_default_its_range_and_a_star_if_live():
    rows = table_text().splitlines()[2:]
    assert [re.match(r"\| `(\w+)`", row)[1] for row in rows] == [
        field.name for field in dataclasses.fields(Parameters)
    ]
    assert "| `coast_time` * | `1.0` | 0 to 10 seconds | How long a hand " in table_text()
    assert "| `max_hands` | `4` | 1 to 16 | No more hands " in table_text()
    assert '| `mano` | `""` |  | MANO\'s right hand' in table_text()
    assert "| `rectified` * | `false` | `true`, `false` | Whether" in table_text()
    assert "| `depth_transport` | `auto` | `auto`, `raw`, `compressedDepth` |" in table_text()


def test_only_counts_and_probabilities_are_without_a_unit():
    unitless = {
        field.name
        for field in dataclasses.fields(Parameters)
        if field.metadata["limits"] is not None and not field.metadata["unit"]
    }
    assert unitless == {"max_hands", "min_score", "min_presence"}


def test_the_unit_of_a_parameter_is_in_its_description(node):
    assert node.describe_parameter("coast_time").description.endswith(" Unit: seconds.")
    assert "Unit" not in node.describe_parameter("max_hands").description


def test_every_parameter_is_described_and_every_number_ranged(node):
    for field in dataclasses.fields(Parameters):
        descriptor = node.describe_parameter(field.name)
        assert len(descriptor.description) > 20
        default = field.metadata["default"]
        if isinstance(default, (int, float)) and not isinstance(default, bool):
            assert descriptor.integer_range or descriptor.floating_point_range


def test_the_defaults_are_read_back(node):
    assert parameters.read(node) == Parameters()


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_hands", 0), ("max_hands", 17), ("min_presence", 1.5), ("silence_after", 0.0)],
)
def test_a_value_out_of_range_is_refused(node, name, value):
    (result,) = node.set_parameters([Parameter(name, value=value)])
    assert not result.successful
    assert name in result.reason or "range" in result.reason


def test_an_unknown_choice_is_refused_with_those_there_are(node):
    (result,) = node.set_parameters([Parameter("estimator", value="magic")])
    assert not result.successful
    assert result.reason == "estimator is 'magic'; known are: landmarks, hamer, ensemble"


def test_a_choice_that_was_renamed_is_refused_with_its_new_name(node):
    (result,) = node.set_parameters([Parameter("detector", value="given")])
    assert not result.successful
    assert result.reason == "detector 'given' is called 'external' now"


def test_paths_devices_and_lists_are_resolved(node):
    node.set_parameters(
        [
            Parameter("checkpoint", value="~/_DATA"),
            Parameter("device", value="cuda:1"),
            Parameter("detector_classes", value="left, right"),
        ]
    )
    found = parameters.read(node)
    assert found.checkpoint == Path.home() / "_DATA"
    assert found.device == Device("cuda", 1)
    assert found.detector_classes == ("left", "right")
    assert found.hamer.checkpoint == found.detection.vitpose == found.checkpoint


@pytest.mark.parametrize(("length", "good"), [(0.0, True), (0.19, True), (0.01, False)])
def test_a_hand_is_as_long_as_a_hand_or_unknown(node, length, good):
    (result,) = node.set_parameters([Parameter("hand_length", value=length)])
    assert result.successful is good
    assert ("hands are 0.10 to 0.30 m long" in result.reason) is not good


@pytest.mark.parametrize(("value", "good"), [("cuda", True), ("cuda:1", True), ("gpu", False)])
def test_devices(node, value, good):
    (result,) = node.set_parameters([Parameter("device", value=value)])
    assert result.successful is good
    assert result.reason == ("" if good else "device is 'gpu'; known are: cpu, cuda, cuda:N")


def test_only_live_parameters_change_what_is_in_use():
    in_use = Parameters()
    changed = [Parameter("publish_tf", value=False), Parameter("max_hands", value=2)]
    after = parameters.with_live(in_use, changed)
    assert after == dataclasses.replace(in_use, publish_tf=False)


def test_a_whole_number_is_a_number_while_the_node_runs_too(node):
    (result,) = node.set_parameters([Parameter("coast_time", value=2)])
    assert result.successful
    assert node.get_parameter("coast_time").value == 2.0
    (result,) = node.set_parameters([Parameter("max_hands", value=2.0)])
    assert not result.successful


@pytest.mark.parametrize("prefix", ["", "left_", "1", "robot1/", "a/b-c.d/", "a" * 10_000])
def test_prefixes_of_frames(node, prefix):
    (result,) = node.set_parameters([Parameter("tf_prefix", value=prefix)])
    assert result.successful


@pytest.mark.parametrize(
    "prefix", [" ", "left ", "/left_", "a//b", "ü", "a\nb", "a" * 10_000 + "!"]
)
def test_what_no_frame_can_begin_with_is_refused(node, prefix):
    (result,) = node.set_parameters([Parameter("tf_prefix", value=prefix)])
    assert not result.successful
    assert "it is made of letters, digits and _ - ." in result.reason


def test_a_person_has_a_name(node):
    (result,) = node.set_parameters([Parameter("person", value="ann\n")])
    assert not result.successful
    assert "person is 'ann\\n'" in result.reason


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_parameter_is_something_that_is_no_number(node, value):
    for field in dataclasses.fields(Parameters):
        if isinstance(field.default, float):
            (result,) = node.set_parameters([Parameter(field.name, value=value)])
            assert not result.successful


def test_all_that_was_dumped_can_be_loaded_again(node):
    names = ["use_sim_time", "start_type_description_service"]
    names += [field.name for field in dataclasses.fields(Parameters)]
    node.create_subscription(
        Empty,
        "image",
        print,
        1,
        qos_overriding_options=QoSOverridingOptions.with_default_policies(),
    )
    names += [f"qos_overrides.{n}" for n in node.get_parameters_by_prefix("qos_overrides")]
    assert len(names) > 38
    results = node.set_parameters(node.get_parameters(names))
    assert [result.reason for result in results if not result.successful] == []


def test_what_is_read_only_is_not_changed(node):
    before = parameters.read(node)
    (result,) = node.set_parameters([Parameter("autostart", value=False)])
    assert not result.successful
    assert "read-only" in result.reason
    assert parameters.read(node) == before
