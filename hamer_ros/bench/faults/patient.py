"""The node in a process of its own, with a witness in it that tells at once what it counts.

The process runs the node's own ``main``, as a robot does.  The witness sits where the node counts
(`Statistics`, which diagnostics are made of) and where its callbacks return, and writes to a pipe.
So each event has an answer within milliseconds, where diagnostics come once a second, and a node
that dies is seen and leaves the campaign alive.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial, wraps
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from ament_index_python.packages import get_package_share_directory

from hamer_ros.bench.faults.verdict import PROCESSED
from hamer_ros.ros import fastdds
from hamer_ros.ros import node as node_module
from hamer_ros.ros.node import HamerNode
from hamer_ros.ros.statistics import Processed, Statistics

_PATIENCE = 10.0
_PARAMETERS = (
    "autostart:=false",
    # DDS loses none of the events.
    "qos_overrides./image.subscription.reliability:=reliable",
    "qos_overrides./image/compressed.subscription.reliability:=reliable",
    "qos_overrides./camera_info.subscription.reliability:=reliable",
)


class Report(NamedTuple):
    """What happened in the node.

    kind: "took" a message of the topic ``text``; "received" an image, and then "counted" it as
        ``text``, which is `PROCESSED` or a reason.
    at: monotonic time in seconds, which all processes of a machine share.
    """

    kind: str
    text: str
    at: float


Life: TypeAlias = Callable[[Connection, int, Path], None]
"""What the process does: gets the pipe for reports, the ROS domain, and a file to print into."""


class Patient:
    """Starts the process, hears its reports, and knows whether and how it has ended."""

    def __init__(self, domain: int, log: Path, life: Life) -> None:
        context = multiprocessing.get_context("spawn")
        self._memory = (0.0, 0.0)
        self._reports, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=life, args=(theirs, domain, log), daemon=True)
        self._process.start()
        theirs.close()

    def report(self, seconds: float) -> Report | None:
        """The next report; None when none comes in time or the process has ended."""
        try:
            return self._reports.recv() if self._reports.poll(seconds) else None
        except (EOFError, OSError):
            self._process.join(_PATIENCE)
            return None

    @property
    def death(self) -> str | None:
        """How the process ended, None while it lives."""
        code = self._process.exitcode
        if code is None:
            return None
        return f"died of {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"

    @property
    def memory(self) -> tuple[float, float]:
        """Megabytes (MB) that it holds now, and that it has held at most.

        What it was before where it has just died; that it has is told by `report`.
        """
        try:
            lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        except FileNotFoundError:
            lines = []
        fields = dict(line.split(":", 1) for line in lines)
        if "VmRSS" in fields:
            now, most = (1.024e-3 * int(fields[name].split()[0]) for name in ("VmRSS", "VmHWM"))
            self._memory = now, most
        return self._memory

    def stop(self) -> None:
        """End it as Ctrl-C does, and by force when that does not help."""
        if self._process.is_alive() and self._process.pid is not None:
            os.kill(self._process.pid, signal.SIGINT)
            self._process.join(_PATIENCE)
        self._process.kill()
        self._process.join()
        self._reports.close()


def live(pipe: Connection, domain: int, log: Path) -> None:
    """The process: the node until it is interrupted."""
    share = Path(get_package_share_directory("hamer_ros"))
    os.environ |= fastdds.variables(share / "config" / "fastdds.xml")
    os.environ["ROS_DOMAIN_ID"] = str(domain)
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    with log.open("a") as output:  # libjpeg and libpng complain there, too
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    teller = _Teller(pipe)
    node_module.HamerNode = partial(_Witnessed, teller)  # type: ignore[misc, assignment]
    node_module.Statistics = partial(_Counts, teller)  # type: ignore[misc, assignment]
    parameters = [word for setting in _PARAMETERS for word in ("-p", setting)]
    sys.exit(node_module.main(["--ros-args", *parameters]))


class _Teller:
    """Writes reports into the pipe, from any thread."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()

    def __call__(self, kind: str, text: str) -> None:
        with self._lock:
            self._pipe.send(Report(kind, text, time.monotonic()))


class _Witnessed(HamerNode):
    def __init__(self, tell: _Teller, **options: Any) -> None:
        self._tell = tell
        super().__init__(**options)

    def create_subscription(
        self, msg_type: Any, topic: str, callback: Callable[..., Any], *args: Any, **more: Any
    ) -> Any:
        """As in every node; the callback is followed by a report."""

        @wraps(callback)  # rclpy looks at its signature
        def and_tell(*given: Any) -> None:
            try:
                callback(*given)
            finally:
                self._tell("took", topic)

        return super().create_subscription(msg_type, topic, and_tell, *args, **more)


class _Counts(Statistics):
    def __init__(self, tell: _Teller, now: float) -> None:
        super().__init__(now)
        self._tell = tell

    def received(self) -> None:
        super().received()
        self._tell("received", "")

    def dropped(self, reason: str, detail: str = "", count: int = 1) -> None:
        super().dropped(reason, detail, count)
        for _ in range(count):
            self._tell("counted", reason)

    def processed(self, frame: Processed) -> None:
        super().processed(frame)
        self._tell("counted", PROCESSED)
