"""The node's status on /diagnostics, published once a second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from hamer_ros.ros.monitoring.health import Situation, health
from hamer_ros.ros.monitoring.observations import DISCOVERY_TIME, Observation, Observations
from hamer_ros.ros.monitoring.statistics import Statistics

NOT_WORKING = "not working"
"""Subject of the observation that hands are wanted and none can come."""


class Diagnostics:
    """Publishes the status of a node."""

    def __init__(self, node: Node, statistics: Statistics, observations: Observations) -> None:
        self._node = node
        self._statistics = statistics
        self._observations = observations
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 1)

    def publish(self, situation: Situation, values: Mapping[str, str], now: float) -> None:
        """Publish the status, and note it when the node does not work.

        values: key-value pairs of the status, besides the counts of images.
        now: seconds of a monotonic clock.
        """
        level, text = health(situation)
        # The reason why images are refused or configure failed was logged when it happened.
        is_logged = situation.flow.is_refused or situation.state != "active"
        if level == DiagnosticStatus.ERROR and not is_logged:
            delay_seconds = DISCOVERY_TIME if self._statistics.is_untouched else 0.0
            self._observations.note(NOT_WORKING, text, delay_seconds)
        elif level != DiagnosticStatus.ERROR:
            self._observations.settled(NOT_WORKING)
        message = DiagnosticArray()
        message.header.stamp = self._node.get_clock().now().to_msg()
        name = self._node.get_fully_qualified_name().removeprefix("/")
        values = {
            **self._statistics.values(),
            **values,
            **_observation_values(situation.observations, now),
        }
        message.status = [_status(f"{name}: hands", level, text, values)]
        self._publisher.publish(message)

    def odd(self) -> list[Observation]:
        """Return what is odd at present, except for what the status says itself."""
        return [
            observation
            for observation in self._observations.present()
            if observation.subject != NOT_WORKING
        ]


def _observation_values(observations: Sequence[Observation], now: float) -> dict[str, str]:
    """Return what is odd, for how long and how often, by key; now: monotonic seconds."""
    return {
        f"odd: {o.subject}": f"{o.text} ({o.count} x in {now - o.since:.0f} s)"
        for o in observations
    }


def _status(name: str, level: bytes, message: str, values: Mapping[str, str]) -> DiagnosticStatus:
    """Return a DiagnosticStatus."""
    pairs = [KeyValue(key=key, value=value) for key, value in values.items()]
    return DiagnosticStatus(level=level, name=name, message=message, hardware_id="", values=pairs)
