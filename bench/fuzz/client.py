"""The client of the node under test: starts it, sends messages as a camera, receives its answers.

Each client has a ROS domain of its own, so that nothing of a node that died is received by the
next.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import SetParameters
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tf2_msgs.msg import TFMessage

from bench.fuzz.node_under_test import EntryPoint, NodeUnderTest, Report
from bench.fuzz.output_monitor import OutputMonitor
from hamer_ros.demo.processes import free_domain
from hamer_ros.msg import HandMeshArray

ANSWER_SECONDS = 20.0
"""Seconds after which no answer is expected any more."""

_TOPICS = {
    "image": Image,
    "image/compressed": CompressedImage,
    "camera_info": CameraInfo,
    "/clock": Clock,
}


class NoAnswerError(Exception):
    """The node has died, does not answer any more, or answers what does not belong here."""


class Client:
    """A node under test, a camera that sends it messages, and a subscriber to its topics.

    log: file that takes what the node prints.
    entry_point: function that the node's process runs.
    arrays, transforms, diagnostics: what was received and not yet cleared.
    output_monitor: checks the pictures, where they are subscribed to.

    It must be closed.
    """

    def __init__(self, log: Path, entry_point: EntryPoint) -> None:
        domain = free_domain("0")
        self.arrays: list[HandMeshArray] = []
        self.transforms: list[TFMessage] = []
        self.diagnostics: list[DiagnosticArray] = []
        self.output_monitor: OutputMonitor | None = None
        self.node_under_test = NodeUnderTest(domain, log, entry_point)
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain)
        self._node = rclpy.create_node("camera", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        for kind, topic, received in (
            (HandMeshArray, "/hamer/hands", self.arrays),
            (TFMessage, "/tf", self.transforms),
            (DiagnosticArray, "/diagnostics", self.diagnostics),
        ):
            self._node.create_subscription(kind, topic, received.append, 100)
        self._publishers: dict[str, Publisher] = {
            topic: self._node.create_publisher(kind, topic, 10) for topic, kind in _TOPICS.items()
        }
        self._change = self._node.create_client(ChangeState, "/hamer/change_state")
        self._set = self._node.create_client(SetParameters, "/hamer/set_parameters")

    def close(self) -> None:
        """End the node and all connections to it."""
        self.node_under_test.stop()
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def monitor_outputs(self, enabled: bool) -> None:
        """Subscribe to the node's pictures, or unsubscribe."""
        if self.output_monitor is not None:
            self.output_monitor.close()
        self.output_monitor = OutputMonitor(self._node) if enabled else None

    def wait_for_subscriptions(self, *topics: str) -> None:
        """Wait until the node has subscribed to all of these topics."""
        counts = [self._publishers[topic].get_subscription_count for topic in topics]
        self.listen(lambda: all(count() for count in counts), f"it does not subscribe to {topics}")

    def send(self, topic: str, message: Any) -> float:
        """Pass a message to DDS; returns the monotonic time just before."""
        begin = time.monotonic()
        self._publishers[topic].publish(message)
        return begin

    def next_report(self, kind: str, text: str | None = None) -> Report:
        """Return the next report of a kind, and with this text where one is given.

        Raises:
            NoAnswerError: there is none, or an image is counted before.
        """
        end = time.monotonic() + ANSWER_SECONDS
        while (left := end - time.monotonic()) > 0:
            report = self.node_under_test.report(left)
            if report is None:
                break
            if report.kind == kind and text in (None, report.text):
                return report
            if report.kind == "counted":
                raise NoAnswerError(f"an image is counted once more, as '{report.text}'")
        raise NoAnswerError(self._explained(f"the node says nothing for {ANSWER_SECONDS:.0f} s"))

    def listen(
        self,
        done: Callable[[], bool],
        error: str | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> bool:
        """Receive until ``done`` returns True, and return its last value.

        error: text of the error to raise if it does not in time.

        Raises:
            NoAnswerError: it does not, and there is an error text.
        """
        end = time.monotonic() + seconds
        while not done() and (left := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=min(left, 0.05))
        if error is not None and not done():
            raise NoAnswerError(self._explained(error))
        return done()

    def set_up(self, **parameters: Any) -> None:
        """Take an active node down, set parameters, and activate it."""
        down = (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP)
        up = (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE)
        self.listen(self._change.service_is_ready, "the node does not start")
        for transition in down if self._is_up else ():
            self._transit(transition)
        self.set_parameters(**parameters)
        for transition in up:
            self._transit(transition)
        self._is_up = True

    _is_up = False

    def set_parameters(self, **values: Any) -> None:
        """Set parameters of the node."""
        parameters = [Parameter(k, value=v).to_parameter_msg() for k, v in values.items()]
        answer = self._call(self._set, SetParameters.Request(parameters=parameters))
        for result in answer.results:
            if not result.successful:
                raise NoAnswerError(f"parameters {values} are refused: {result.reason}")

    def _transit(self, transition: int) -> None:
        request = ChangeState.Request(transition=Transition(id=transition))
        if not self._call(self._change, request).success:
            raise NoAnswerError(f"the lifecycle transition {transition} fails")

    def _call(self, client: Any, request: Any) -> Any:
        self.listen(client.service_is_ready, f"there is no {client.srv_name}")
        future = client.call_async(request)
        self.listen(future.done, f"{client.srv_name} does not answer")
        return future.result()

    def _explained(self, error: str) -> str:
        exit_description = self.node_under_test.exit_description
        return error if exit_description is None else f"the node {exit_description}"
