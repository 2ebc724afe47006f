"""Node, camera and client as on a robot: processes of their own, that talk over DDS."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hamer_ros.bench.soak.logs import Told, read_rows, read_told
from hamer_ros.demo.processes import Child, Children, apart
from hamer_ros.demo.run import installed_node
from hamer_ros.demo.signals import Event, Signals

PATIENCE = 60.0
"""Seconds after which something is waited for in vain, however busy the machine is."""


class Camera:
    """A camera process and what it noted."""

    def __init__(self, child: Child, log: Path) -> None:
        self.child = child
        self._log = log

    def sent(self, last: int | None = None) -> np.ndarray:
        """(N, 2) int64 of all frames or of the last ones: stamp, ns, and place in the stack."""
        return read_rows(self._log, last)


class Client:
    """A client process and what it noted."""

    def __init__(self, child: Child, hands: Path, diagnostics: Path) -> None:
        self.child = child
        self._hands, self._diagnostics = hands, diagnostics

    def arrived(self, last: int | None = None) -> np.ndarray:
        """(N, 2) int64 of all arrays or of the last ones: the image's stamp and the arrival, ns."""
        return read_rows(self._hands, last)

    def told(self) -> list[Told]:
        """The node's diagnostics until now."""
        return read_told(self._diagnostics)

    def first_since(self, moment: int) -> int | None:
        """When the first hands came of an image that was stamped after a time; both in ns."""
        rows = self.arrived()
        rows = rows[rows[:, 0] > moment]
        return int(rows[0, 1]) if len(rows) else None


class Robot:
    """Starts the processes, as often as one likes, in a ROS domain that nobody else uses.

    stack: frames that its cameras play.
    work: folder, empty or new, for the events and for what the processes note.
    logs: folder for what they say.
    """

    def __init__(self, children: Children, stack: Path, work: Path, logs: Path) -> None:
        self._children = children
        self._stack, self._work, self._logs = stack, work, logs
        self._node, profiles = installed_node()
        self._environment = apart(os.environ, profiles)
        for folder in (work, logs):
            folder.mkdir(parents=True, exist_ok=True)
        self._signals = Signals(work)
        self._count = 0

    def start_node(self) -> Child:
        """Start the installed node with its defaults."""
        topics = ["-r", "image:=/camera/image_raw", "-r", "camera_info:=/camera/camera_info"]
        return self._start("node", [str(self._node), "--ros-args", *topics])

    def start_camera(self) -> Camera:
        """Start a camera; it plays at once, and rests from the first hands until `play`."""
        log = self._work / f"sent-{self._count}"
        command = ["hamer_ros.bench.soak.camera", str(self._stack), "--log", str(log)]
        return Camera(self._start_python("camera", command), log)

    def start_client(self) -> Client:
        """Start a client."""
        hands = self._work / f"hands-{self._count}"
        diagnostics = self._work / f"diagnostics-{self._count}"
        command = ["hamer_ros.bench.soak.client", "--hands", str(hands)]
        command += ["--diagnostics", str(diagnostics)]
        return Client(self._start_python("client", command), hands, diagnostics)

    def play(self) -> None:
        """Let the cameras play on."""
        self._signals.give(Event.PLAY)

    def stop_playing(self) -> None:
        """Let the cameras end."""
        self._signals.give(Event.STOP)

    def wait_for_first_hands(self) -> None:
        """Wait until a client has hands and the camera rests."""
        self.wait_until(lambda: self._signals.given(Event.CAMERA_READY), "the first hands")

    def wait_until(self, done: Callable[[], bool], what: str) -> None:
        """Wait for something to happen; what completes "waited in vain for ..."."""
        self._children.wait_until(done, what, PATIENCE)

    def _start(self, name: str, command: list[str]) -> Child:
        self._count += 1
        # With a number: what is started again must not write over why its predecessor ended.
        name = f"{name}-{self._count}"
        return self._children.start(name, command, self._environment, self._logs)

    def _start_python(self, name: str, command: list[str]) -> Child:
        python = [sys.executable, "-m", *command, "--signals", str(self._work)]
        return self._start(name, python)
