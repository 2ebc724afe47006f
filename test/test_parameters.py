"""Parameters are described, ranged, written down once more in YAML, and refused when wrong."""

from __future__ import annotations

import dataclasses
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
from hamer_ros.ros import parameters

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
    assert content["/**"]["ros__parameters"] == dataclasses.asdict(parameters.Parameters())


def test_the_readme_names_every_parameter():
    readme = (ROOT / "README.md").read_text()
    missing = [
        f.name for f in dataclasses.fields(parameters.Parameters) if f"`{f.name}`" not in readme
    ]
    assert missing == []


def test_every_parameter_is_described_and_every_number_ranged(node):
    for field in dataclasses.fields(parameters.Parameters):
        descriptor = node.describe_parameter(field.name)
        assert len(descriptor.description) > 20
        if isinstance(field.default, (int, float)) and not isinstance(field.default, bool):
            assert descriptor.integer_range or descriptor.floating_point_range


def test_the_defaults_are_read_back(node):
    assert parameters.read(node) == parameters.Parameters()


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
    in_use = parameters.Parameters()
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
    for field in dataclasses.fields(parameters.Parameters):
        if isinstance(field.default, float):
            (result,) = node.set_parameters([Parameter(field.name, value=value)])
            assert not result.successful


def test_all_that_was_dumped_can_be_loaded_again(node):
    names = ["use_sim_time", "start_type_description_service"]
    names += [field.name for field in dataclasses.fields(parameters.Parameters)]
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
