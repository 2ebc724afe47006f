"""Area ``node``: what the node costs around the nets."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from ament_index_python.packages import get_package_share_directory
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image

from hamer_ros.bench.records import Record
from hamer_ros.demo.processes import free_domain
from hamer_ros.detection import Detector
from hamer_ros.hands import Detection, Frame
from hamer_ros.recovery import Recoverer, make_recoverer
from hamer_ros.ros import fastdds
from hamer_ros.ros.images import encode_rgb
from hamer_ros.ros.node import HamerNode
from hamer_ros.ros.parameters import Parameters

WIDTH, HEIGHT, RATE = 1280, 720, 30.0
SECONDS = 8.0
START_SECONDS = 20.0
FIRST_IMAGES = 3


class _NoHands:
    """A detector that costs nothing."""

    def detect(self, frame: Frame) -> list[Detection]:
        return []

    def reset(self) -> None:
        pass


class _NodeWith(HamerNode):
    """Runs the stages that it is given, and keeps account of its own time."""

    def __init__(self, detector: Detector, recoverer: Recoverer) -> None:
        super().__init__()
        self._given = detector, recoverer
        self.own_seconds = 0.0
        self.images = 0

    def _make_stages(self, parameters: Parameters) -> tuple[Detector, Recoverer]:
        return self._given

    @property
    def latency(self) -> float:
        """Milliseconds from the stamp of an image to its message, the median of the last ones."""
        return float(self._statistics.values()["latency p50 (ms)"])

    def create_subscription(
        self, msg_type: Any, topic: str, callback: Callable[..., Any], *args: Any, **more: Any
    ) -> Any:
        """As in every node; what the callback takes is counted."""

        @wraps(callback)  # rclpy looks at its signature
        def and_count(*given: Any) -> None:
            begin = time.thread_time()
            callback(*given)
            self.own_seconds += time.thread_time() - begin

        return super().create_subscription(msg_type, topic, and_count, *args, **more)

    def _process(self, *what: Any) -> None:
        begin = time.thread_time()
        super()._process(*what)
        self.own_seconds += time.thread_time() - begin
        self.images += 1


def measure_node(_: Path) -> list[Record]:
    """Processor time for each 1280x720 image at 30 Hz, of everything but the nets and the fit.

    The reference is what rclpy and DDS take in the same process to hand the images over.
    """
    with _running(_NoHands(), make_recoverer("landmarks")) as (node, spin):
        before = node.images, node.own_seconds, time.process_time()
        spin(SECONDS)
        images = node.images - before[0]
        own, all_of_it = node.own_seconds - before[1], time.process_time() - before[2]
    if images < 0.9 * SECONDS * RATE:
        raise RuntimeError(f"only {images} of {SECONDS * RATE:.0f} images arrived")
    told = "what rclpy and DDS take for the same images"
    transport = 1e3 * (all_of_it - own) / images
    return [Record("node/overhead_ms", 1e3 * own / images, "ms", told, transport)]


def latency_of_node(detector: Detector, recoverer: Recoverer, seconds: float) -> float:
    """Milliseconds from a 1280x720 image to the message, with these stages; the median."""
    with _running(detector, recoverer) as (node, spin):
        spin(seconds)
        return node.latency


@contextmanager
def _running(
    detector: Detector, recoverer: Recoverer
) -> Iterator[tuple[_NodeWith, Callable[[float], None]]]:
    """A node that has got its first images, and a way to let it run for some seconds."""
    share = Path(get_package_share_directory("hamer_ros"))
    os.environ |= fastdds.variables(share / "config" / "fastdds.xml")
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    domain = free_domain(os.environ.get("ROS_DOMAIN_ID", "0"))
    with _camera(domain):
        rclpy.init(domain_id=domain)
        node = _NodeWith(detector, recoverer)
        node.start()
        executor = SingleThreadedExecutor()
        executor.add_node(node)

        def spin(seconds: float) -> None:
            end = time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0:
                executor.spin_once(timeout_sec=left)

        deadline = time.monotonic() + START_SECONDS
        while node.images < FIRST_IMAGES and time.monotonic() < deadline:
            executor.spin_once(timeout_sec=1.0)
        try:
            yield node, spin
        finally:
            node.destroy_node()
            rclpy.shutdown()


@contextmanager
def _camera(domain: int) -> Iterator[None]:
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_publish, args=(domain,), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()


def _publish(domain: int) -> None:
    """Another process: a camera at 30 Hz."""
    rclpy.init(domain_id=domain)
    node = rclpy.create_node("camera")
    images = node.create_publisher(Image, "image", qos_profile_sensor_data)
    infos = node.create_publisher(CameraInfo, "camera_info", qos_profile_sensor_data)
    pixels = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    image = encode_rgb(pixels)
    image.encoding = "bgr8"
    image.header.frame_id = "camera_optical_frame"
    k = [900.0, 0.0, 639.5, 0.0, 900.0, 359.5, 0.0, 0.0, 1.0]
    info = CameraInfo(width=WIDTH, height=HEIGHT, k=k, header=image.header)

    def tick() -> None:
        image.header.stamp = node.get_clock().now().to_msg()
        info.header.stamp = image.header.stamp
        infos.publish(info)
        images.publish(image)

    node.create_timer(1 / RATE, tick)
    with suppress(ExternalShutdownException):  # how it is ended
        rclpy.spin(node)
