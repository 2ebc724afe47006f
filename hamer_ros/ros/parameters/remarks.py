"""Observations on a node's parameters: unknown names, and values that are not in use yet."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from rclpy.node import Node

from hamer_ros.errors import HamerRosError
from hamer_ros.ros.monitoring.observations import Observations
from hamer_ros.ros.parameters import params_file, qos_overrides
from hamer_ros.ros.parameters.declare import overrides, waiting
from hamer_ros.ros.parameters.table import Parameters

UNKNOWN = "unknown parameters"
UNUSED_FILE = "params_file without effect"
WAITING = "{name} waits"
"""Subjects of the observations."""


class ParameterRemarks:
    """Notes what is odd about the parameters of a node, which must be declared.

    arguments: those of the process; they name the parameter files.
    """

    def __init__(
        self, node: Node, observations: Observations, arguments: Sequence[str] | None = None
    ) -> None:
        self._node = node
        self._observations = observations
        # Neither can change while the process runs.
        self._unknown = "; ".join(_unknown_names(node))
        self._unused = "; ".join(_unused_files(node, sys.argv if arguments is None else arguments))

    def update(self, in_use: Parameters | None) -> None:
        """Note what is odd now, and end what is not any more.

        in_use: what the node was configured with; None where it is not configured.
        """
        self._note(UNKNOWN, self._unknown)
        self._note(UNUSED_FILE, self._unused)
        name = self._node.get_fully_qualified_name()
        command = f"ros2 lifecycle set {name} deactivate, then cleanup, configure and activate"
        for setting, (now, then) in waiting(self._node, in_use).items():
            text = f"{setting} is {then} from the next configure on, until then {now}: {command}"
            self._note(WAITING.format(name=setting), "" if now == then else text)

    def _note(self, subject: str, text: str) -> None:
        if text:
            self._observations.note(subject, text)
        else:
            self._observations.settled(subject)


def _unknown_names(node: Node) -> list[str]:
    """Return the names given at the start that have no effect, each with the nearest known one."""
    own = [field.name for field in dataclasses.fields(Parameters)]
    qos = qos_overrides.names(node)
    texts = []
    for name in sorted(overrides(node)):
        if name.startswith(qos_overrides.PREFIX):
            topic = name.rpartition(".")[0]
            if f"{topic}.depth" in qos and name not in qos:
                texts.append(f"'{name}' (only {', '.join(qos_overrides.POLICIES)} can be given)")
            elif name not in qos:
                texts.append(_with_nearest(name, qos, name))
        elif not node.has_parameter(name):
            texts.append(_with_nearest(name, own, name.rpartition(".")[2]))
    return texts


def _with_nearest(name: str, known: Iterable[str], alike: str) -> str:
    near = get_close_matches(alike, known, n=1)
    return f"'{name}'" + (f" (is '{near[0]}' meant?)" if near else "")


def _unused_files(node: Node, arguments: Sequence[str]) -> list[str]:
    """Return a text for each parameter file that has no section for this node."""
    texts = []
    for path in params_file.named_in(arguments):
        try:
            text = params_file.not_for(path, node.get_fully_qualified_name())
        except HamerRosError:
            continue  # rcl has read it
        if text is not None:
            texts.append(text)
    return texts
