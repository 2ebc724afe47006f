"""Names that the node does not know and values that wait are told, and taken back."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("hamer_ros.msg", reason="needs the built messages")

import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import HistoryPolicy, ReliabilityPolicy

from hamer_ros.demo.processes import free_domain
from hamer_ros.ros.monitoring.observations import Observations
from hamer_ros.ros.node import HamerNode
from hamer_ros.ros.parameters import declare as parameters
from hamer_ros.ros.parameters import qos_overrides
from hamer_ros.ros.parameters.remarks import ParameterRemarks
from hamer_ros.ros.parameters.table import Parameters


class Log:
    """A logger that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def warning(self, message: str) -> bool:
        self.lines.append(message)
        return True

    def info(self, message: str) -> bool:
        self.lines.append(message)
        return True


@pytest.fixture
def node_with() -> Iterator[Callable[..., Node]]:
    """Makes a node with arguments of the command line, and declares its parameters."""
    context = Context()
    nodes = []

    def make(*arguments: str) -> Node:
        rclpy.init(
            context=context, domain_id=free_domain("0"), args=["--ros-args", *map(str, arguments)]
        )
        nodes.append(rclpy.create_node("hamer", context=context))
        make.refused = parameters.declare(nodes[0])
        return nodes[0]

    yield make
    for node in nodes:
        node.destroy_node()
    rclpy.try_shutdown(context=context)


def told(remarks: ParameterRemarks, observations: Observations, in_use=None) -> dict[str, str]:
    remarks.update(in_use)
    return {o.subject: o.text for o in observations.present()}


@pytest.fixture
def observations() -> Observations:
    return Observations(Log())


def test_a_misspelt_name_is_told_with_the_nearest(tmp_path, node_with, observations):
    path = tmp_path / "my.yaml"
    path.write_text("/hamer: {ros__parameters: {max_hand: 2, tracking: {beta: 3.0}}}")
    node = node_with("--params-file", path, "-p", "zzz:=1", "-p", "use_sim_time:=false")
    remarks = ParameterRemarks(node, observations, ["--params-file", str(path)])
    assert told(remarks, observations) == {
        "unknown parameters": "'max_hand' (is 'max_hands' meant?); "
        "'tracking.beta' (is 'beta' meant?); 'zzz'"
    }


def test_a_file_for_another_node_is_told(tmp_path, node_with, observations):
    path = tmp_path / "my.yaml"
    path.write_text("/camera: {ros__parameters: {max_hands: 2}}")
    remarks = ParameterRemarks(
        node_with("--params-file", path), observations, ["--params-file", str(path)]
    )
    (text,) = told(remarks, observations).values()
    assert f"{path} has no section for '/hamer', only for /camera" in text


def test_nothing_is_told_of_a_node_that_was_given_nothing_odd(node_with, observations):
    node = node_with("-p", "max_hands:=2", "-p", "qos_overrides./image.subscription.depth:=3")
    assert told(ParameterRemarks(node, observations), observations) == {}
    assert node_with.refused == {}


def test_a_value_that_waits_for_configure_is_told_until_it_holds(node_with, observations):
    node = node_with()
    in_use = parameters.read(node)
    remarks = ParameterRemarks(node, observations)
    assert told(remarks, observations, in_use) == {}
    node.set_parameters([Parameter("max_hands", value=3), Parameter("beta", value=3.0)])
    assert told(remarks, observations, in_use) == {
        "max_hands waits": "max_hands is 3 from the next configure on, until then 4: "
        "ros2 lifecycle set /hamer deactivate, then cleanup, configure and activate"
    }
    node.set_parameters([Parameter("max_hands", value=4)])
    assert told(remarks, observations, in_use) == {}
    node.set_parameters([Parameter("max_hands", value=3)])
    assert set(told(remarks, observations, in_use)) == {"max_hands waits"}
    assert told(remarks, observations, dataclasses.replace(in_use, max_hands=3)) == {}
    assert told(remarks, observations, None) == {}


def test_overrides_of_topics_are_known_by_their_remapped_names(node_with, observations):
    node = node_with(
        *("-r", "image:=/cam/image"),
        *("-p", "qos_overrides./image.subscription.depth:=1"),
        *("-p", "qos_overrides./cam/image.subscription.depth:=1"),
        *("-p", "qos_overrides./tf.publisher.durability:=volatile"),
    )
    (text,) = told(ParameterRemarks(node, observations), observations).values()
    topic, policy = text.split("; ")
    assert topic.startswith("'qos_overrides./image.subscription.depth'")
    assert policy == (
        "'qos_overrides./tf.publisher.durability' (only history, depth, reliability can be given)"
    )


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("/image.subscription.reliability", "sometimes", "known are: system_default, reliable"),
        ("/image.subscription.reliability", "1", "known are: system_default, reliable"),
        ("/tf.publisher.history", "keep", "known are: system_default, keep_last, keep_all"),
        ("/tf.publisher.depth", "many", "it is a number of messages"),
        ("/tf.publisher.depth", "-1", "it is a number of messages"),
    ],
)
def test_an_override_that_cannot_be_is_refused_at_the_start(node_with, name, value, words):
    node_with("-p", f"qos_overrides.{name}:={value}")
    (reason,) = node_with.refused.values()
    assert reason.startswith(f"qos_overrides.{name} is '{value}'; ")
    assert words in reason


@pytest.mark.parametrize(
    ("policy", "values"), [("reliability", ReliabilityPolicy), ("history", HistoryPolicy)]
)
def test_every_value_of_a_policy_can_be_overridden(policy, values):
    for value in set(values.__members__) - {"UNKNOWN"}:
        override = Parameter(f"qos_overrides./tf.publisher.{policy}", value=value.lower())
        assert qos_overrides.problem(override) is None


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize(
    "transport", Parameters.__dataclass_fields__["image_transport"].metadata["choices"]
)
def test_every_override_that_the_node_declares_is_known(transport):
    if transport == "ffmpeg":
        pytest.importorskip("ffmpeg_image_transport_msgs", reason="needs its messages")
    context = Context()
    rclpy.init(context=context, domain_id=free_domain("0"))
    node = HamerNode(context=context)
    node.set_parameters(
        [Parameter("use_depth", value=True), Parameter("image_transport", value=transport)]
    )
    node.trigger_configure()
    declared = {f"qos_overrides.{n}" for n in node.get_parameters_by_prefix("qos_overrides")}
    known = qos_overrides.names(node)
    node.destroy_node()
    rclpy.try_shutdown(context=context)
    assert len(declared) > 20
    assert declared <= known
