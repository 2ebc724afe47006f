"""Node, camera and client of the soak, in processes of their own that communicate over DDS."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.soak.logs import NodeStatus, read_rows, read_statuses
from hamer_ros.demo.process_events import Event, ProcessEvents
from hamer_ros.demo.processes import ManagedProcess, ProcessGroup, isolated_environment
from hamer_ros.demo.run import installed_node

ROOT = Path(__file__).parents[2]
"""Folder in which `bench` lies."""

START_SECONDS = 60.0
"""Seconds after which waiting ends with an error, however busy the machine is."""


class Camera:
    """A camera process and its log."""

    def __init__(self, process: ManagedProcess, log: Path) -> None:
        self.process = process
        self._log = log

    def sent(self, last: int | None = None) -> np.ndarray:
        """Return (N, 2) int64 of all or of the last frames: stamp, ns, and index in the stack."""
        return read_rows(self._log, last)


class Client:
    """A client process and its logs."""

    def __init__(self, process: ManagedProcess, hands: Path, diagnostics: Path) -> None:
        self.process = process
        self._hands, self._diagnostics = hands, diagnostics

    def arrived(self, last: int | None = None) -> np.ndarray:
        """Return (N, 2) int64 of all or of the last arrays: the image's stamp and arrival, ns."""
        return read_rows(self._hands, last)

    def statuses(self) -> list[NodeStatus]:
        """Return the node's diagnostics until now."""
        return read_statuses(self._diagnostics)

    def first_since(self, moment: int) -> int | None:
        """Return the arrival of the first hands of an image stamped after a moment; both in ns."""
        rows = self.arrived()
        rows = rows[rows[:, 0] > moment]
        return int(rows[0, 1]) if len(rows) else None


class Processes:
    """Starts any number of nodes, cameras and clients, in a ROS domain that nobody else uses.

    stack: frames that the cameras play.
    work: folder, empty or new, for the events and the processes' logs of messages.
    logs: folder for what they print.
    """

    def __init__(self, group: ProcessGroup, stack: Path, work: Path, logs: Path) -> None:
        self._group = group
        self._stack, self._work, self._logs = stack, work, logs
        self._node, profiles = installed_node()
        self._environment = isolated_environment(os.environ, profiles)
        # Last, so that the camera and the client, which lie here, import the installed package.
        paths = [self._environment.get("PYTHONPATH", ""), str(ROOT)]
        self._environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        for folder in (work, logs):
            folder.mkdir(parents=True, exist_ok=True)
        self._events = ProcessEvents(work)
        self._count = 0

    def start_node(self) -> ManagedProcess:
        """Start the installed node with its defaults."""
        topics = ["-r", "image:=/camera/image_raw", "-r", "camera_info:=/camera/camera_info"]
        return self._start("node", [str(self._node), "--ros-args", *topics])

    def start_camera(self) -> Camera:
        """Start a camera; it plays at once, and rests from the first hands until `play`."""
        log = self._work / f"sent-{self._count}"
        command = ["bench.soak.camera", str(self._stack), "--log", str(log)]
        return Camera(self._start_python("camera", command), log)

    def start_client(self) -> Client:
        """Start a client."""
        hands = self._work / f"hands-{self._count}"
        diagnostics = self._work / f"diagnostics-{self._count}"
        command = ["bench.soak.client", "--hands", str(hands)]
        command += ["--diagnostics", str(diagnostics)]
        return Client(self._start_python("client", command), hands, diagnostics)

    def play(self) -> None:
        """Let the cameras play on."""
        self._events.set(Event.PLAY)

    def stop_playing(self) -> None:
        """Let the cameras end."""
        self._events.set(Event.STOP)

    def wait_for_first_hands(self) -> None:
        """Wait until a client has hands and the camera rests."""
        self.wait_until(lambda: self._events.is_set(Event.CAMERA_READY), "the first hands")

    def wait_until(self, done: Callable[[], bool], what: str) -> None:
        """Wait for something to happen; what: completes "waited in vain for ..."."""
        self._group.wait_until(done, what, START_SECONDS)

    def _start(self, name: str, command: list[str]) -> ManagedProcess:
        self._count += 1
        # With a number: a successor must not overwrite its predecessor's log.
        name = f"{name}-{self._count}"
        return self._group.start(name, command, self._environment, self._logs)

    def _start_python(self, name: str, command: list[str]) -> ManagedProcess:
        python = [sys.executable, "-m", *command, "--events", str(self._work)]
        return self._start(name, python)
