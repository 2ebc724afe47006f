"""The node in a process of its own, instrumented to report at once what it counts.

The process runs the node's own ``main``, as a robot does.  The instrumentation sits where the node
counts (`Statistics`, from which diagnostics are made) and where its callbacks return, and writes to
a pipe.  So each event has an answer within milliseconds, where diagnostics come once a second, and
a node that dies is noticed and does not end the run.
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

from bench.fuzz.expected_outcome import PROCESSED
from hamer_ros.ros import fastdds, node
from hamer_ros.ros import main as program
from hamer_ros.ros.monitoring.statistics import Processed, Statistics
from hamer_ros.ros.node import HamerNode

_JOIN_SECONDS = 10.0
_PARAMETERS = (
    "autostart:=false",
    # With reliable subscriptions DDS loses none of the events.
    "qos_overrides./image.subscription.reliability:=reliable",
    "qos_overrides./image/compressed.subscription.reliability:=reliable",
    "qos_overrides./camera_info.subscription.reliability:=reliable",
)


class Report(NamedTuple):
    """An event in the node.

    kind: "took" a message of the topic ``text``; "received" an image, and then "counted" it as
        ``text``, which is `PROCESSED` or a reason.
    at: monotonic time in seconds, which all processes of a machine share.
    """

    kind: str
    text: str
    at: float


EntryPoint: TypeAlias = Callable[[Connection, int, Path], None]
"""Function that the process runs: takes the pipe for reports, the ROS domain, and the log file."""


class NodeUnderTest:
    """The process of the node; receives its reports, and knows if and how it has ended."""

    def __init__(self, domain: int, log: Path, entry_point: EntryPoint) -> None:
        context = multiprocessing.get_context("spawn")
        self._memory = (0.0, 0.0)
        self._reports, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=entry_point, args=(theirs, domain, log), daemon=True)
        self._process.start()
        theirs.close()

    def report(self, seconds: float) -> Report | None:
        """Return the next report; None when none comes in time or the process has ended."""
        try:
            return self._reports.recv() if self._reports.poll(seconds) else None
        except (EOFError, OSError):
            self._process.join(_JOIN_SECONDS)
            return None

    @property
    def exit_description(self) -> str | None:
        """The end of the process, in words; None while it runs."""
        code = self._process.exitcode
        if code is None:
            return None
        return f"died of {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"

    @property
    def memory(self) -> tuple[float, float]:
        """The megabytes (MB) that it holds now, and that it has held at most.

        They are those of before where the process has just died; `report` notices that it has.
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
            self._process.join(_JOIN_SECONDS)
        self._process.kill()
        self._process.join()
        self._reports.close()


def run_node(pipe: Connection, domain: int, log: Path) -> None:
    """Run the node until it is interrupted; the entry point of the process."""
    share = Path(get_package_share_directory("hamer_ros"))
    os.environ |= fastdds.variables(share / "config" / "fastdds.xml")
    os.environ["ROS_DOMAIN_ID"] = str(domain)
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    with log.open("a") as output:  # libjpeg and libpng print errors there, too
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    reporter = _Reporter(pipe)
    program.HamerNode = partial(_InstrumentedNode, reporter)  # type: ignore[misc, assignment]
    node.Statistics = partial(_InstrumentedStatistics, reporter)  # type: ignore[misc, assignment]
    parameters = [word for setting in _PARAMETERS for word in ("-p", setting)]
    sys.exit(program.main(["--ros-args", *parameters]))


class _Reporter:
    """Writes reports into the pipe, from any thread."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()

    def __call__(self, kind: str, text: str) -> None:
        with self._lock:
            self._pipe.send(Report(kind, text, time.monotonic()))


class _InstrumentedNode(HamerNode):
    def __init__(self, reporter: _Reporter, **options: Any) -> None:
        self._report = reporter
        super().__init__(**options)

    def create_subscription(
        self, msg_type: Any, topic: str, callback: Callable[..., Any], *args: Any, **more: Any
    ) -> Any:
        """Create a subscription whose callback is followed by a report."""

        @wraps(callback)  # rclpy looks at its signature
        def with_report(*given: Any) -> None:
            try:
                callback(*given)
            finally:
                self._report("took", topic)

        return super().create_subscription(msg_type, topic, with_report, *args, **more)


class _InstrumentedStatistics(Statistics):
    def __init__(self, reporter: _Reporter, now: float) -> None:
        super().__init__(now)
        self._report = reporter

    def received(self) -> None:
        super().received()
        self._report("received", "")

    def dropped(self, reason: str, detail: str = "", count: int = 1) -> None:
        super().dropped(reason, detail, count)
        for _ in range(count):
            self._report("counted", reason)

    def processed(self, frame: Processed) -> None:
        super().processed(frame)
        self._report("counted", PROCESSED)
