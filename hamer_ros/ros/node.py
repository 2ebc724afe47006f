"""The lifecycle node ``hamer``: images in, hand meshes and transforms out.

Three threads share the work.  The executor's thread receives messages and answers services; it
never waits for a net.  The worker takes the newest image, runs the pipeline and publishes.  An
image that comes while the worker is busy replaces the one that waits.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.time import Time
from std_msgs.msg import Header

from hamer_ros.camera import CameraModel
from hamer_ros.detection import Detector, DetectorOptions, make_detector
from hamer_ros.detection.given import GivenDetector
from hamer_ros.hamer.loading import HamerOptions
from hamer_ros.hands import Side
from hamer_ros.nets.device import Device
from hamer_ros.pipeline import HandPipeline
from hamer_ros.placement.calibration import load_sizes
from hamer_ros.placement.size import Size, given
from hamer_ros.recovery import Recoverer, make_recoverer
from hamer_ros.ros import parameters as declared
from hamer_ros.ros.box_input import BoxInput
from hamer_ros.ros.calibration import Calibration, sizes_file
from hamer_ros.ros.camera_input import CameraInput, FrameRejectedError, ImageMessage
from hamer_ros.ros.depth_input import DepthError, DepthInput
from hamer_ros.ros.diagnostics import Processed, Statistics, status
from hamer_ros.ros.latest import Latest
from hamer_ros.ros.messages import is_finite
from hamer_ros.ros.outputs import Outputs

REPEAT_AFTER = 5.0
"""Seconds after which the same complaint is logged again."""


class HamerNode(LifecycleNode):
    """See the module."""

    def __init__(self, **options: Any) -> None:
        super().__init__("hamer", **options)
        declared.declare(self)
        self.add_post_set_parameters_callback(self._take_live)
        self._statistics = Statistics()
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 1)
        self._timer = self.create_timer(1.0, self._diagnose)
        self._active = False
        self._complaints: dict[str, float] = {}
        self._settings: declared.Parameters | None = None
        self._input: CameraInput | None = None
        self._outputs: Outputs | None = None
        self._stages: tuple[Detector, Recoverer] | None = None
        self._pipeline: HandPipeline | None = None
        self._fresh = True
        self._depth: DepthInput | None = None
        self._boxes: BoxInput | None = None
        self._calibration: Calibration | None = None
        self._lengths: dict[Side, Size] = {}
        self._slot: Latest[ImageMessage] | None = None
        self._worker: threading.Thread | None = None
        self._last_image = time.monotonic()

    # Lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the nets and connect; a failure undoes what was done and says why."""
        try:
            self._set_up()
        except Exception as error:
            self.get_logger().error(f"configure failed: {error}")
            self._tear_down()
            return TransitionCallbackReturn.FAILURE
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to process images."""
        super().on_activate(state)
        assert self._outputs is not None
        self._fresh = True
        self._outputs.publish_topology()
        self._statistics.clear()
        self._last_image = time.monotonic()
        self._active = True
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop processing; a frame that is under way ends unpublished."""
        self._active = False
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Undo configure."""
        self._tear_down()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Undo everything, from any state."""
        self._active = False
        self._tear_down()
        return TransitionCallbackReturn.SUCCESS

    def destroy_node(self) -> None:
        """Stop the worker before the node goes."""
        self._active = False
        self._tear_down()
        super().destroy_node()

    def start(self) -> None:
        """Configure and activate, as a lifecycle manager would."""
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    # Set-up

    def _set_up(self) -> None:
        parameters = declared.read(self)
        detector, recoverer = self._make_stages(parameters)
        self._settings = parameters
        self._stages = detector, recoverer
        self._outputs = Outputs(self, recoverer.model, recoverer.name, parameters.tf_prefix)
        self._slot = Latest()
        self._worker = threading.Thread(target=self._work, args=(self._slot,), daemon=True)
        self._worker.start()
        if parameters.use_depth:
            self._depth = DepthInput(self)
        self._lengths = known_lengths(parameters)
        self._calibration = Calibration(self, parameters.person, self._learn)
        if isinstance(detector, GivenDetector):
            self._boxes = BoxInput(
                self, detector, parameters.max_box_wait, self._leave, self._give_up
            )
        self._input = CameraInput(self, parameters.image_transport, self._receive)
        self.get_logger().info(
            f"estimator {recoverer.name} ({recoverer.engine}) with hand model "
            f"{recoverer.model.name}, detector {parameters.detector} on {parameters.device}; "
            f"images from '{self._input.image_topic}', intrinsics from "
            f"'{self._input.info_topic}'"
        )

    def _make_stages(self, parameters: declared.Parameters) -> tuple[Detector, Recoverer]:
        if parameters.estimator == "landmarks" and parameters.detector != "landmarks":
            raise ValueError(
                f"detector is '{parameters.detector}', which finds boxes; estimator landmarks "
                "needs detector landmarks"
            )
        options = DetectorOptions(
            max_hands=parameters.max_hands,
            static=parameters.photographs,
            search_period=parameters.search_period,
            min_presence=parameters.min_presence,
            model=parameters.detector_model,
            classes=tuple(parameters.detector_classes.replace(",", " ").split()),
            min_score=parameters.min_score,
            vitpose=parameters.vitpose or parameters.checkpoint,
        )
        detector = make_detector(
            parameters.detector, options, Device.parse(parameters.device).providers
        )
        hamer = HamerOptions(
            checkpoint=parameters.checkpoint,
            mano=parameters.mano,
            backend=parameters.backend,
            precision=parameters.precision,
            device=parameters.device,
        )
        return detector, make_recoverer(parameters.estimator, hamer)

    def _tear_down(self) -> None:
        if self._input is not None:
            self._input.close()
        if self._calibration is not None:
            self._calibration.close()
        if self._boxes is not None:
            self._boxes.close()
        if self._slot is not None:
            self._slot.close()
        if self._worker is not None:
            self._worker.join()
        if self._depth is not None:
            self._depth.close()
        if self._outputs is not None:
            self._outputs.close()
        self._input = self._slot = self._worker = self._outputs = None
        self._stages = self._pipeline = None
        self._depth = self._boxes = self._calibration = None

    def _learn(self, sizes: dict[Side, Size]) -> None:
        """From now on these sizes hold; the worker takes them over with its next image."""
        self._lengths = {**self._lengths, **sizes}

    def _take_live(self, changed: list[Parameter]) -> None:
        if self._settings is not None:
            self._settings = declared.with_live(self._settings, changed)

    # Frames

    def _receive(self, message: ImageMessage) -> None:
        """Executor's thread: take note of an image and let it go on, or wait for its boxes."""
        if not self._active:
            return
        self._last_image = time.monotonic()
        self._statistics.received()
        if self._boxes is None:
            self._leave(message)
        else:
            self._boxes.hold(message)

    def _leave(self, message: ImageMessage) -> None:
        """Executor's thread: leave the image for the worker."""
        if self._slot is not None and self._slot.put(message):
            self._statistics.dropped("newer image came")

    def _give_up(self, count: int) -> None:
        """Executor's thread: images that nobody searched for hands."""
        for _ in range(count):
            self._statistics.dropped("no boxes")

    def _work(self, slot: Latest[ImageMessage]) -> None:
        """Worker's thread: process the newest image until the slot is closed."""
        while (message := slot.take()) is not None:
            if not self._active:
                continue
            try:
                self._process(message)
            except FrameRejectedError as rejection:
                self._statistics.dropped(rejection.reason)
                self._complain(rejection.reason, str(rejection))
            except Exception as error:
                if not self._active:  # deactivated in the middle of a frame
                    continue
                self._statistics.dropped("internal error")
                self._complain("internal error", f"{type(error).__name__}: {error}")

    def _process(self, message: ImageMessage) -> None:
        assert self._input is not None
        assert self._outputs is not None
        assert self._settings is not None
        parameters = self._settings
        begin = time.perf_counter()
        rgb, camera = self._input.decode(message, parameters)
        decoded = time.perf_counter()
        header = message.header
        stamp = header.stamp.sec + 1e-9 * header.stamp.nanosec
        depth = self._depth_of(header, camera)
        result = self._pipeline_for(camera).process(rgb, stamp, depth)
        for reason in result.unplaced:
            self._statistics.unplaced(reason)
        if self._calibration is not None:
            self._calibration.saw([hand.placed for hand in result.hands])
        hands = [hand for hand in result.hands if is_finite(hand)]
        for _ in range(len(result.hands) - len(hands)):
            self._complain("hand not finite", "a hand was left out, some of its numbers being NaN")
        if not self._active:
            return
        publishing = time.perf_counter()
        self._outputs.publish(hands, header, rgb, camera, parameters)
        published = time.perf_counter()
        stages = {"decode": decoded - begin, **result.seconds, "publish": published - publishing}
        self._statistics.processed(Processed(len(hands), self._age(header), stages))

    def _pipeline_for(self, camera: CameraModel) -> HandPipeline:
        """The pipeline with the camera of this image; new after every activation."""
        if self._pipeline is None:
            assert self._stages is not None
            self._pipeline = HandPipeline(camera, *self._stages)
        if self._fresh:
            self._fresh = False
            self._pipeline.reset()
        self._pipeline.camera = camera
        self._pipeline.placer.lengths = self._lengths
        return self._pipeline

    def _depth_of(self, header: Header, camera: CameraModel) -> np.ndarray | None:
        """The depth image that belongs to an image; hands are placed without it where it fails."""
        if self._depth is None:
            return None
        try:
            return self._depth.belonging_to(header, camera)
        except DepthError as error:
            self._statistics.without_depth(error.reason)
            self._complain(error.reason, str(error))
            return None

    def _age(self, header: Header) -> float:
        """Seconds since the image's stamp."""
        elapsed = self.get_clock().now() - Time.from_msg(header.stamp)
        return 1e-9 * elapsed.nanoseconds

    def _complain(self, subject: str, text: str) -> None:
        """Warn, but not more often than every `REPEAT_AFTER` about the same subject."""
        now = time.monotonic()
        if now - self._complaints.get(subject, -REPEAT_AFTER) >= REPEAT_AFTER:
            self._complaints[subject] = now
            self.get_logger().warning(f"{subject}: {text}")

    # Diagnostics

    def _diagnose(self) -> None:
        level, text = self._health()
        message = DiagnosticArray()
        message.header.stamp = self.get_clock().now().to_msg()
        values = self._statistics.values()
        if self._settings is not None:
            values["estimator"] = self._settings.estimator
            values["device"] = self._settings.device
        if self._stages is not None:
            values["engine"] = self._stages[1].engine
            if isinstance(self._stages[0], GivenDetector):
                values["frames without boxes"] = str(self._stages[0].frames_without_boxes)
        message.status = [status(f"{self.get_name()}: hands", level, text, values)]
        self._diagnostics.publish(message)

    def _health(self) -> tuple[bytes, str]:
        if not self._active or self._input is None or self._settings is None:
            return DiagnosticStatus.WARN, "not active"
        now = time.monotonic()
        rate = self._statistics.rate(now)
        silence = now - self._last_image
        if silence > self._settings.silence_after:
            text = (
                f"no images on '{self._input.image_topic}' for {silence:.0f} s: "
                f"{self._input.why_silent()}"
            )
            self._complain("no images", text)
            return DiagnosticStatus.ERROR, text
        if rate == 0.0:
            return DiagnosticStatus.ERROR, "images arrive but none can be processed; see the log"
        return DiagnosticStatus.OK, f"{rate:.1f} frames/s"


def known_lengths(parameters: declared.Parameters) -> dict[Side, Size]:
    """What is known of the hands before any image."""
    if parameters.hand_length > 0:
        return dict.fromkeys(Side, given(parameters.hand_length))
    return load_sizes(sizes_file(), parameters.person)


def main(args: list[str] | None = None) -> None:
    """Run the node until it is interrupted."""
    rclpy.init(args=args)
    node = HamerNode()
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        if node.get_parameter("autostart").value:
            node.start()
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
