"""One image and what belongs to it, on its way to the messages about its hands."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rclpy.clock import Clock

from hamer_ros.camera import CameraModel
from hamer_ros.detection import Detector
from hamer_ros.hands import AbandonedError, Side
from hamer_ros.pipeline import HandPipeline
from hamer_ros.placement.size import Size
from hamer_ros.recovery import Recoverer
from hamer_ros.ros.calibration import Calibration
from hamer_ros.ros.depth_images import DepthError
from hamer_ros.ros.frame_reader import FrameReader
from hamer_ros.ros.inputs import FrameMessages, LateDepth
from hamer_ros.ros.observations import Observations
from hamer_ros.ros.outputs import Outputs
from hamer_ros.ros.parameters import Parameters
from hamer_ros.ros.stamps import StampGate, in_seconds, nanoseconds
from hamer_ros.ros.statistics import Processed, Statistics

MAX_REMEMBERED = 64
"""Stamps of images that were processed: for one that was left out, depth is of no use."""
MAX_LATE = 4
"""Depth images that came too late and wait to be looked at."""


@dataclass(frozen=True)
class Connections:
    """What a processor reads from and publishes to."""

    stamps: StampGate
    reader: FrameReader
    calibration: Calibration
    outputs: Outputs


class Processor:
    """Reads images, runs the pipeline and publishes; on the worker's thread.

    track_numbers: go on where another processor has stopped.
    """

    def __init__(
        self,
        connections: Connections,
        stages: tuple[Detector, Recoverer],
        clock: Clock,
        track_numbers: Iterator[int],
        statistics: Statistics,
        observations: Observations,
    ) -> None:
        self._connections = connections
        self._stages: tuple[Detector, Recoverer] | None = stages
        self._clock = clock
        self._track_numbers = track_numbers
        self._statistics = statistics
        self._observations = observations
        self._late: deque[LateDepth] = deque(maxlen=MAX_LATE)
        self._processed: deque[int] = deque(maxlen=MAX_REMEMBERED)
        self._pipeline: HandPipeline | None = None
        self._forgetful = False

    @property
    def stages(self) -> tuple[Detector, Recoverer] | None:
        """The models; None between `unload` and `load`."""
        return self._stages

    def load(self, stages: tuple[Detector, Recoverer]) -> None:
        """Go on with these models."""
        self._stages = stages

    def unload(self) -> None:
        """Let go of the models."""
        self._stages = self._pipeline = None

    def forget(self) -> None:
        """Let the next image be the first of a stream; any thread may ask for it."""
        self._forgetful = True

    def take_late(self, depth: LateDepth) -> None:
        """Learn from a depth image with the next image; any thread."""
        self._late.append(depth)

    def process(
        self,
        messages: FrameMessages,
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
        there, stamp = self._connections, messages.image.header.stamp
        admission = there.stamps.admit(stamp, self._clock.now().nanoseconds, parameters.max_age)
        for subject, text in admission.remarks:
            self._observations.saw(subject, text)
        if admission.is_other_stream or parameters.photographs:
            self.forget()
        read = there.reader.read(messages, parameters)
        if parameters.detector == "given" and read.boxes is None:
            self._statistics.without_boxes()
        decoded = time.perf_counter()
        pipeline = self._pipeline_for(read.camera)
        pipeline.placer.lengths = lengths
        pipeline.tracker.options = parameters.tracking
        self._learn_late(pipeline, parameters)
        seconds = in_seconds(nanoseconds(stamp))
        result = pipeline.process(read.rgb, seconds, read.depth, abandoned, read.boxes)
        for subject, text in result.remarks:
            self._statistics.unmeasured(subject)
            self._observations.saw(subject, text)
        for reason in result.unplaced:
            self._statistics.unplaced(reason)
        raw = [hand.raw for hand in result.hands if hand.raw is not None]
        there.calibration.saw(raw, read.camera.focal_sigma)
        hands = [hand for hand in result.hands if hand.placed.is_finite]
        for _ in range(len(result.hands) - len(hands)):
            self._statistics.unplaced("not finite")
        if abandoned():
            raise AbandonedError
        publishing = time.perf_counter()
        there.outputs.publish(hands, read, result.stamp, parameters)
        published = time.perf_counter()
        stages = {"decode": decoded - begin, **result.seconds, "publish": published - publishing}
        self._processed.append(nanoseconds(stamp))
        seen = sum(hand.raw is not None for hand in hands)
        # A stamp that is absurdly old says nothing about latency.
        latency = time.monotonic() - messages.arrival
        if admission.age is not None:
            latency = admission.age + published - begin
        self._statistics.processed(Processed(seen, latency, stages))

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

    def _learn_late(self, pipeline: HandPipeline, parameters: Parameters) -> None:
        """Let depth images that came too late for their image tell the sizes of its hands."""
        while self._late:
            late = self._late.popleft()
            if late.stamp not in self._processed:
                continue
            try:
                depth = self._connections.reader.read_depth(
                    late.message, pipeline.camera, parameters
                )
            except DepthError as error:
                self._observations.saw(error.reason, str(error))
                continue
            for subject, text in pipeline.learn_size(in_seconds(late.stamp), depth):
                self._observations.saw(subject, text)
            if late.delay <= parameters.max_depth_wait:
                continue  # the next one is waited for
            self._observations.saw(
                "depth comes late",
                f"a depth image came {1e3 * late.delay:.0f} ms after its image and can serve "
                f"for the size of the hands only; max_depth_wait is "
                f"{1e3 * parameters.max_depth_wait:g} ms",
            )
