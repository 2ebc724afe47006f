"""The camera process of the soak: plays a stack of frames over and over, at exactly 30 Hz.

It plays until the client has its first hands, waits, and plays again from `Event.PLAY` to
`Event.STOP`.  All messages are prepared before, so that it costs little and its memory is constant.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import rclpy
from sensor_msgs.msg import CameraInfo, Image

from bench.soak.logs import write_row
from hamer_ros.demo.camera_process import CameraNode
from hamer_ros.demo.intrinsics import parse_camera
from hamer_ros.demo.process_events import Event, ProcessEvents
from hamer_ros.demo.rendered_source import CAMERA
from hamer_ros.rendering.clip import FRAME_RATE

_POLL = 0.005


def play(
    node: CameraNode,
    messages: Sequence[tuple[CameraInfo, Image]],
    events: ProcessEvents,
    end: Event,
    log: BinaryIO,
) -> None:
    """Send one frame a period until the event; log the stamp and the index in the stack."""
    due = time.monotonic()
    for place in itertools.cycle(range(len(messages))):
        time.sleep(max(0.0, due - time.monotonic()))
        if events.is_set(end):
            return
        write_row(log, node.send(*messages[place]), place)
        # A delay of more than a period is not made up for, as with a camera.
        due = max(due, time.monotonic() - 1.0 / FRAME_RATE) + 1.0 / FRAME_RATE


def main(arguments: list[str]) -> None:
    """Play until `Event.STOP`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stack", type=Path)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--events", type=Path, required=True)
    options = parser.parse_args(arguments)
    events = ProcessEvents(options.events)
    rclpy.init()
    node = CameraNode("soak_camera", parse_camera(CAMERA), namespace="camera")
    messages = [node.prepare(rgb) for rgb in np.load(options.stack, mmap_mode="r")]
    with options.log.open("wb", buffering=0) as log:
        play(node, messages, events, Event.CLIENT_READY, log)
        events.set(Event.CAMERA_READY)
        while not events.is_set(Event.PLAY):
            time.sleep(_POLL)
        play(node, messages, events, Event.STOP, log)
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == "__main__":
    main(sys.argv[1:])
