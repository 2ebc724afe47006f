"""One image message on its way to the messages about its hands."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from rclpy.clock import Clock
from rclpy.time import Time
from std_msgs.msg import Header

from hamer_ros.camera import CameraModel
from hamer_ros.detection import Detector
from hamer_ros.detection.given import GivenDetector
from hamer_ros.hands import AbandonedError, Side
from hamer_ros.pipeline import HandPipeline
from hamer_ros.placement.size import Size
from hamer_ros.recovery import Recoverer
from hamer_ros.ros.calibration import Calibration
from hamer_ros.ros.camera_input import CameraInput, ImageMessage
from hamer_ros.ros.depth_images import DepthError
from hamer_ros.ros.depth_input import DepthInput
from hamer_ros.ros.diagnostics import Processed
from hamer_ros.ros.outputs import Outputs
from hamer_ros.ros.parameters import Parameters
from hamer_ros.ros.stamps import StampGate
from hamer_ros.ros.worker import Report


@dataclass(frozen=True)
class Connections:
    """The node's topics and services."""

    input: CameraInput
    depth: DepthInput | None
    calibration: Calibration
    outputs: Outputs


class Processor:
    """Decodes images, runs the pipeline and publishes; on the worker's thread.

    track_numbers: go on where another processor has stopped.
    """

    def __init__(
        self,
        connections: Connections,
        stages: tuple[Detector, Recoverer],
        clock: Clock,
        track_numbers: Iterator[int],
        report: Report,
    ) -> None:
        self._connections = connections
        self._stages: tuple[Detector, Recoverer] | None = stages
        self._clock = clock
        self._track_numbers = track_numbers
        self._report = report
        self._stamps = StampGate(connections.input.image_topic)
        self._pipeline: HandPipeline | None = None
        self._forgetful = False

    @property
    def stages(self) -> tuple[Detector, Recoverer] | None:
        """The models; None between `unload` and `load`."""
        return self._stages

    @property
    def given_detector(self) -> GivenDetector | None:
        """The detector that takes boxes from outside, where this is the one in use."""
        stages = self._stages
        return stages[0] if stages and isinstance(stages[0], GivenDetector) else None

    def load(self, stages: tuple[Detector, Recoverer]) -> None:
        """Go on with these models."""
        self._stages = stages

    def unload(self) -> None:
        """Let go of the models."""
        self._stages = self._pipeline = None

    def forget(self) -> None:
        """Let the next image be the first of a stream; any thread may ask for it."""
        self._forgetful = True

    def process(
        self,
        message: ImageMessage,
        parameters: Parameters,
        lengths: dict[Side, Size],
        abandoned: Callable[[], bool],
    ) -> None:
        """Publish the hands of an image.

        lengths: what is known of the hands' sizes.
        abandoned: whether nobody waits for them any more.

        Raises:
            FrameRejectedError: the image cannot be used.
            AbandonedError: it was abandoned; nothing is published then.
        """
        begin = time.perf_counter()
        header, there = message.header, self._connections
        now = self._clock.now().nanoseconds
        is_other_stream = self._stamps.admit(header.stamp, now, parameters.max_age)
        if is_other_stream or parameters.photographs:
            self.forget()
        rgb, camera = there.input.decode(message, parameters)
        decoded = time.perf_counter()
        pipeline = self._pipeline_for(camera)
        pipeline.placer.lengths = lengths
        pipeline.tracker.options = parameters.tracking
        stamp = header.stamp.sec + 1e-9 * header.stamp.nanosec
        result = pipeline.process(rgb, stamp, self._depth_of(header, camera), abandoned)
        for reason in result.unplaced:
            self._report.statistics.unplaced(reason)
        there.calibration.saw([hand.raw for hand in result.hands if hand.raw is not None])
        hands = [hand for hand in result.hands if hand.placed.is_finite]
        for _ in range(len(result.hands) - len(hands)):
            self._report.statistics.unplaced("not finite")
        if abandoned():
            raise AbandonedError
        publishing = time.perf_counter()
        there.outputs.publish(hands, header, result.stamp, rgb, camera, parameters)
        published = time.perf_counter()
        stages = {"decode": decoded - begin, **result.seconds, "publish": published - publishing}
        seen = sum(hand.raw is not None for hand in hands)
        self._report.statistics.processed(Processed(seen, self._age(header), stages))

    def _pipeline_for(self, camera: CameraModel) -> HandPipeline:
        """The pipeline, with the camera of this image."""
        if self._pipeline is None:
            assert self._stages is not None
            self._pipeline = HandPipeline(camera, *self._stages, self._track_numbers)
            self._forgetful = True  # the stages may have served another one
        if self._forgetful:
            self._forgetful = False
            self._pipeline.reset()
        self._pipeline.camera = camera
        return self._pipeline

    def _depth_of(self, header: Header, camera: CameraModel) -> np.ndarray | None:
        """The depth image that belongs to an image; hands are placed without it where it fails."""
        if self._connections.depth is None:
            return None
        try:
            return self._connections.depth.belonging_to(header, camera)
        except DepthError as error:
            self._report.statistics.without_depth(error.reason)
            self._report.complain(error.reason, str(error))
            return None

    def _age(self, header: Header) -> float:
        """Seconds since the image's stamp."""
        elapsed = self._clock.now() - Time.from_msg(header.stamp)
        return 1e-9 * elapsed.nanoseconds
