"""Area ``node``: processor time of the node without the models."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from ament_index_python.packages import get_package_share_directory
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image

from bench.records import Record
from hamer_ros.demo.processes import free_domain
from hamer_ros.detection import Detector
from hamer_ros.estimation import Estimator, make_estimator
from hamer_ros.hands import Detection, Frame
from hamer_ros.ros import fastdds
from hamer_ros.ros.frame_processor import FrameProcessor
from hamer_ros.ros.images.decode import encode_rgb
from hamer_ros.ros.models import Models
from hamer_ros.ros.node import HamerNode

WIDTH, HEIGHT, RATE = 1280, 720, 30.0
SECONDS = 8.0
START_SECONDS = 20.0
FIRST_IMAGES = 3


class _NoHands:
    """A detector that finds nothing and costs nothing."""

    def detect(self, frame: Frame) -> list[Detection]:
        return []

    def reset(self) -> None:
        pass


class _NodeWith(HamerNode):
    """A node that runs given models and measures its own processor time."""

    def __init__(self, detector: Detector, estimator: Estimator) -> None:
        super().__init__()
        self.make_models = lambda parameters: Models(detector, estimator)
        self.own_seconds = 0.0
        self.images = 0

    @property
    def latency(self) -> float:
        """The milliseconds from an image's stamp to its message, the median of the last ones."""
        return float(self._statistics.values()["latency p50 (ms)"])

    def create_subscription(
        self, msg_type: Any, topic: str, callback: Callable[..., Any], *args: Any, **more: Any
    ) -> Any:
        """Create a subscription whose callback's processor time is added up."""

        @wraps(callback)  # rclpy looks at its signature
        def with_count(*given: Any) -> None:
            begin = time.thread_time()
            callback(*given)
            self.own_seconds += time.thread_time() - begin

        return super().create_subscription(msg_type, topic, with_count, *args, **more)


@contextmanager
def _processing_counted(node: _NodeWith) -> Iterator[None]:
    """Add up the processor time of the worker's thread for each image, too."""
    process = FrameProcessor.process

    def with_count(*arguments: Any) -> None:
        begin = time.thread_time()
        process(*arguments)
        node.own_seconds += time.thread_time() - begin
        node.images += 1

    FrameProcessor.process = with_count  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        FrameProcessor.process = process  # type: ignore[method-assign]


def measure_node(_: Path) -> list[Record]:
    """Return the processor time for each 1280x720 image at 30 Hz, without the models and the fit.

    The reference is the time of rclpy and DDS in the same process for passing the images on.
    """
    with _running(_NoHands(), make_estimator("landmarks")) as (node, spin):
        before = node.images, node.own_seconds, time.process_time()
        spin(SECONDS)
        images = node.images - before[0]
        own, all_of_it = node.own_seconds - before[1], time.process_time() - before[2]
    if images < 0.9 * SECONDS * RATE:
        raise RuntimeError(f"only {images} of {SECONDS * RATE:.0f} images arrived")
    reference = "what rclpy and DDS take for the same images"
    transport = 1e3 * (all_of_it - own) / images
    return [Record("node/overhead_ms", 1e3 * own / images, "ms", reference, transport)]


def latency_of_node(detector: Detector, estimator: Estimator, seconds: float) -> float:
    """Return the median milliseconds from a 1280x720 image to the message, with these models."""
    with _running(detector, estimator) as (node, spin):
        spin(seconds)
        return node.latency


@contextmanager
def _running(
    detector: Detector, estimator: Estimator
) -> Iterator[tuple[_NodeWith, Callable[[float], None]]]:
    """Provide a node that has got its first images, and a function that spins it for seconds."""
    share = Path(get_package_share_directory("hamer_ros"))
    os.environ |= fastdds.variables(share / "config" / "fastdds.xml")
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    domain = free_domain(os.environ.get("ROS_DOMAIN_ID", "0"))
    with _camera(domain), ExitStack() as undo:
        rclpy.init(domain_id=domain)
        node = _NodeWith(detector, estimator)
        undo.enter_context(_processing_counted(node))
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
    """Publish images at 30 Hz, as a camera; in a process of its own."""
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
    with suppress(ExternalShutdownException):  # raised when it is terminated
        rclpy.spin(node)
