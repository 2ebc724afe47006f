"""The client process of the soak: logs when hands and diagnostics come, until it is ended."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TextIO

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import QoSProfile

from bench.soak.logs import NodeStatus, status_line, write_row
from hamer_ros.demo.process_events import Event, ProcessEvents
from hamer_ros.msg import HandMeshArray

_DEEP = QoSProfile(depth=100)


class ClientNode(Node):
    """Writes a row for each message at once, and keeps nothing."""

    def __init__(self, events: ProcessEvents, hands: BinaryIO, diagnostics: TextIO) -> None:
        super().__init__("soak_client")
        self._events = events
        self._hands = hands
        self._diagnostics = diagnostics
        self._ready = False
        self.create_subscription(HandMeshArray, "/hamer/hands", self._on_hands, _DEEP)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, _DEEP)

    def _on_hands(self, message: HandMeshArray) -> None:
        now = time.time_ns()
        stamp = message.header.stamp
        write_row(self._hands, stamp.sec * 10**9 + stamp.nanosec, now)
        if not self._ready:
            self._ready = True
            self._events.set(Event.CLIENT_READY)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        now = time.time_ns()
        for status in message.status:
            if status.name.startswith("hamer:"):
                values = {pair.key: pair.value for pair in status.values}
                level = int.from_bytes(status.level, "little")
                row = NodeStatus(now, level, status.message, values)
                self._diagnostics.write(status_line(row))


def main(arguments: list[str]) -> None:
    """Receive until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hands", type=Path, required=True)
    parser.add_argument("--diagnostics", type=Path, required=True)
    parser.add_argument("--events", type=Path, required=True)
    options = parser.parse_args(arguments)
    rclpy.init()
    with (
        options.hands.open("wb", buffering=0) as hands,
        options.diagnostics.open("w", buffering=1) as diagnostics,
        suppress(KeyboardInterrupt, ExternalShutdownException),
    ):
        rclpy.spin(ClientNode(ProcessEvents(options.events), hands, diagnostics))
    rclpy.try_shutdown()


if __name__ == "__main__":
    main(sys.argv[1:])
