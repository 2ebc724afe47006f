"""What is odd about parameters though the node can work: names unknown, values not yet in use."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from rclpy.node import Node

from hamer_ros.errors import HamerRosError
from hamer_ros.ros import parameters as declared
from hamer_ros.ros import params_file, qos_overrides
from hamer_ros.ros.observations import Observations

UNKNOWN = "unknown parameters"
UNUSED_FILE = "params_file without effect"
WAITING = "{name} waits"
"""Subjects of observations."""


class ParameterRemarks:
    """Tells of the parameters of a node, which have been declared.

    arguments: of the process; they name the files of parameters.
    """

    def __init__(
        self, node: Node, observations: Observations, arguments: Sequence[str] | None = None
    ) -> None:
        self._node = node
        self._observations = observations
        # Neither can change while the process runs.
        self._unknown = "; ".join(_unknown_names(node))
        self._unused = "; ".join(_unused_files(node, sys.argv if arguments is None else arguments))

    def look(self, in_use: declared.Parameters | None) -> None:
        """Tell what is odd now, and take back what is not any more.

        in_use: what the node was configured with; None where it is not configured.
        """
        self._tell(UNKNOWN, self._unknown)
        self._tell(UNUSED_FILE, self._unused)
        name = self._node.get_fully_qualified_name()
        way = f"ros2 lifecycle set {name} deactivate, then cleanup, configure and activate"
        for setting, (now, then) in declared.waiting(self._node, in_use).items():
            text = f"{setting} is {then} from the next configure on, until then {now}: {way}"
            self._tell(WAITING.format(name=setting), "" if now == then else text)

    def _tell(self, subject: str, text: str) -> None:
        if text:
            self._observations.saw(subject, text)
        else:
            self._observations.settled(subject)


def _unknown_names(node: Node) -> list[str]:
    """Names that were given at the start and mean nothing, with those that were meant perhaps."""
    own = [field.name for field in dataclasses.fields(declared.Parameters)]
    qos = qos_overrides.names(node)
    texts = []
    for name in sorted(declared.given(node)):
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
    """Files of parameters that hold nothing for this node, in words."""
    texts = []
    for path in params_file.named_in(arguments):
        try:
            text = params_file.not_for(path, node.get_fully_qualified_name())
        except HamerRosError:
            continue  # rcl has read it
        if text is not None:
            texts.append(text)
    return texts
