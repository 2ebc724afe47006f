"""The processing of one image: messages in, pipeline, messages about its hands out."""

from __future__ import annotations

import gc
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator

from rclpy.clock import Clock

from hamer_ros.hands import AbandonedError
from hamer_ros.inference.device import Device
from hamer_ros.inference.gpu_memory import release_gpu_memory
from hamer_ros.pipeline import HandPipeline, Result
from hamer_ros.ros.calibration_service import Calibration
from hamer_ros.ros.images.depth_images import DepthError
from hamer_ros.ros.input.frame_messages import FrameMessages, LateDepth
from hamer_ros.ros.input.frame_reader import FrameReader, ReadFrame
from hamer_ros.ros.input.stamps import Admission, StampGate, nanoseconds
from hamer_ros.ros.models import Models
from hamer_ros.ros.monitoring.observations import DISCOVERY_TIME, Observations
from hamer_ros.ros.monitoring.statistics import Processed, Statistics
from hamer_ros.ros.output.publishers import HandPublishers
from hamer_ros.ros.parameters.table import Parameters

MAX_REMEMBERED = 64
"""Processed images that are remembered: late depth of one that was left out is of no use."""
MAX_LATE = 4
"""Number of depth images kept that came too late for their image."""


class FrameProcessor:
    """Reads images, runs the pipeline and publishes; on the worker's thread.

    parameters: returns the present values.
    models: the first models.
    make_models: loads models again when those in use fail.
    track_ids: ids for new tracks, continued from one processor to the next.
    """

    def __init__(
        self,
        *,
        parameters: Callable[[], Parameters],
        models: Models,
        make_models: Callable[[], Models],
        stamps: StampGate,
        reader: FrameReader,
        calibration: Calibration,
        publishers: HandPublishers,
        clock: Clock,
        track_ids: Iterator[int],
        statistics: Statistics,
        observations: Observations,
    ) -> None:
        self._parameters = parameters
        self._make_models = make_models
        self._stamps = stamps
        self._reader = reader
        self._calibration = calibration
        self._publishers = publishers
        self._clock = clock
        self._track_ids = track_ids
        self._statistics = statistics
        self._observations = observations
        self._late_depth: deque[LateDepth] = deque(maxlen=MAX_LATE)
        self._processed: OrderedDict[int, float] = OrderedDict()
        self._must_reset = True  # the models may have served another processor
        self._models: Models | None = None
        self._pipeline: HandPipeline | None = None
        self._load(models)

    def process(self, messages: FrameMessages, abandoned: Callable[[], bool]) -> None:
        """Publish the hands of an image.

        abandoned: returns True once nobody waits for them any more.

        Raises:
            FrameRejectedError: the image cannot be used.
            AbandonedError: it was abandoned; nothing is published then.
        """
        begin = time.perf_counter()
        parameters = self._parameters()
        admission = self._admit(messages, parameters)
        read_frame = self._reader.read(messages, parameters, abandoned)
        decoded = time.perf_counter()
        result = self._run(read_frame, parameters)
        self._calibration.update(
            [hand.raw for hand in result.hands if hand.raw is not None],
            read_frame.frame.camera.focal_sigma,
        )
        if abandoned():
            raise AbandonedError
        publishing = time.perf_counter()
        self._publishers.publish(result.hands, read_frame, result.stamp, parameters)
        published = time.perf_counter()
        self._processed[nanoseconds(messages.image.header.stamp)] = result.stamp
        if len(self._processed) > MAX_REMEMBERED:
            self._processed.popitem(last=False)
        # Latency is counted from arrival where the stamp is absurdly old.
        latency = time.monotonic() - messages.arrival
        if admission.age is not None:
            latency = admission.age + published - begin
        steps = {"decode": decoded - begin, **result.seconds, "publish": published - publishing}
        seen = sum(hand.raw is not None for hand in result.hands)
        self._statistics.processed(Processed(seen, latency, steps))

    def reset(self) -> None:
        """Treat the next image as the first of a stream; any thread."""
        self._must_reset = True

    def add_late_depth(self, depth: LateDepth) -> None:
        """Learn from a depth image with the next image; any thread."""
        self._late_depth.append(depth)

    @property
    def models(self) -> Models | None:
        """The models; None while they are being loaded again."""
        return self._models

    def reload(self) -> None:
        """Replace the models by newly loaded ones."""
        self.unload()
        release(self._parameters().device)  # two sets may not fit into a GPU's memory
        self._load(self._make_models())

    def unload(self) -> None:
        """Drop the references to the models."""
        self._models = self._pipeline = None

    def _load(self, models: Models) -> None:
        self._pipeline = HandPipeline(*models, self._track_ids)
        self._models = models

    def _admit(self, messages: FrameMessages, parameters: Parameters) -> Admission:
        """Return the admission of the image's stamp."""
        now = self._clock.now().nanoseconds
        admission = self._stamps.admit(messages.image.header.stamp, now, parameters.max_age)
        for subject, text in admission.remarks:
            self._observations.note(subject, text)
        if admission.is_other_stream or parameters.photographs:
            self.reset()
        return admission

    def _run(self, read_frame: ReadFrame, parameters: Parameters) -> Result:
        """Run the pipeline with the present parameters and lengths."""
        pipeline = self._pipeline
        assert pipeline is not None  # the worker does not process what it could not load
        if self._must_reset:
            self._must_reset = False
            pipeline.reset()
            self._processed.clear()
        pipeline.placer.lengths = self._calibration.lengths
        pipeline.tracker.options = parameters.tracking
        self._learn_late(pipeline, parameters)
        if parameters.detector == "external" and read_frame.frame.boxes is None:
            self._statistics.without_boxes()
            self._observations.note(
                "image without boxes",
                f"no boxes of an image's stamp came within {parameters.max_box_wait:g} s "
                "(max_box_wait), and its hands are empty; the detector of yours must publish one "
                "message for every image, empty where it finds none",
                DISCOVERY_TIME,
            )
        result = pipeline.process(read_frame.frame)
        for subject, text in result.remarks:
            self._statistics.unmeasured(subject)
            self._observations.note(subject, text)
        for reason in result.unplaced:
            self._statistics.unplaced(reason)
        return result

    def _learn_late(self, pipeline: HandPipeline, parameters: Parameters) -> None:
        """Learn the sizes of hands from depth images that came too late for their image."""
        while self._late_depth:
            late = self._late_depth.popleft()
            if late.stamp not in self._processed:
                continue
            try:
                depth = self._reader.read_late_depth(late.message, parameters)
            except DepthError as error:
                self._observations.note(error.reason, str(error))
                continue
            for subject, text in pipeline.learn_size(self._processed[late.stamp], depth):
                self._observations.note(subject, text)
            if late.delay <= parameters.max_depth_wait:
                continue  # the next one is waited for
            self._observations.note(
                "depth comes late",
                f"a depth image came {1e3 * late.delay:.0f} ms after its image and can serve "
                f"for the size of the hands only; max_depth_wait is "
                f"{1e3 * parameters.max_depth_wait:g} ms",
            )


def release(device: Device) -> None:
    """Free the memory of models that are no longer referenced."""
    gc.collect()  # a pipeline contains reference cycles
    release_gpu_memory(device)
