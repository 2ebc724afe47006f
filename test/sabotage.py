"""Lives of nodes that do what the fault suite must see."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench.fuzz.node_under_test import run_node
from hamer_ros.detection.landmark_detector import LandmarkDetector
from hamer_ros.pipeline import HandPipeline
from hamer_ros.ros.input import frame_reader
from hamer_ros.ros.monitoring.statistics import Statistics
from hamer_ros.ros.output import publishers as outputs
from hamer_ros.ros.worker import Worker


def _before(owner: Any, name: str, deed: Callable[..., None]) -> None:
    """Let a deed be done before each call of a function."""
    function = getattr(owner, name)

    def both(*args: Any, **more: Any) -> Any:
        deed(*args)
        return function(*args, **more)

    setattr(owner, name, both)


def _after(owner: Any, name: str, deed: Callable[[Any], None]) -> None:
    """Let a deed be done to what a function returns."""
    function = getattr(owner, name)

    def both(*args: Any, **more: Any) -> Any:
        result = function(*args, **more)
        deed(result)
        return result

    setattr(owner, name, both)


def dying(pipe: Connection, domain: int, log: Path) -> None:
    """As when a decoder writes where it must not."""

    def die(message: Any) -> None:
        if message.header.frame_id and len(message.data) == 0:
            os.kill(os.getpid(), signal.SIGSEGV)

    _before(frame_reader, "image_size", die)
    run_node(pipe, domain, log)


def slow(pipe: Connection, domain: int, log: Path) -> None:
    _before(Worker, "reject", lambda *_: time.sleep(0.12))
    run_node(pipe, domain, log)


def dawdling(pipe: Connection, domain: int, log: Path) -> None:
    _before(HandPipeline, "process", lambda *_: time.sleep(1.2))
    run_node(pipe, domain, log)


def miscounting(pipe: Connection, domain: int, log: Path) -> None:
    _after(Statistics, "values", lambda values: values.update({"frames processed": "1"}))
    run_node(pipe, domain, log)


def counting_twice(pipe: Connection, domain: int, log: Path) -> None:
    def count(worker: Worker, reason: str, _: str) -> None:
        worker.drop(reason)

    _before(Worker, "reject", count)
    run_node(pipe, domain, log)


def in_another_frame(pipe: Connection, domain: int, log: Path) -> None:
    def rename(array: Any) -> None:
        array.header = type(array.header)(stamp=array.header.stamp, frame_id="map")

    _after(outputs, "hand_mesh_array", rename)
    run_node(pipe, domain, log)


def not_finite(pipe: Connection, domain: int, log: Path) -> None:
    def spoil(array: Any) -> None:
        for hand in array.hands:
            hand.wrist.covariance[35] = float("nan")

    _after(outputs, "hand_mesh_array", spoil)
    run_node(pipe, domain, log)


def lenient(pipe: Connection, domain: int, log: Path) -> None:
    """Takes images of which data is missing."""

    def fill(message: Any, *_: Any) -> None:
        message.data.extend(bytes(max(message.step * message.height - len(message.data), 0)))

    _before(frame_reader, "decode_image", fill)
    run_node(pipe, domain, log)


def blind(pipe: Connection, domain: int, log: Path) -> None:
    """Sees hands until the first image that is refused."""

    def close_eyes(*_: Any) -> None:
        LandmarkDetector.detect = lambda *_: []

    _before(Worker, "reject", close_eyes)
    run_node(pipe, domain, log)


def drawing_badly(pipe: Connection, domain: int, log: Path) -> None:
    def spoil(array: Any) -> None:
        for marker in array.markers[1:]:
            marker.points[0].z = float("nan")

    _after(outputs, "hand_markers", spoil)
    run_node(pipe, domain, log)
