"""The lifecycle node ``hamer``: images in, hand meshes and transforms out.

Two threads share the work.  The executor's thread receives messages and answers services; it
never waits for a model.  The worker takes the newest image, runs the pipeline and publishes.  An
image that comes while the worker is busy replaces the one that waits.

    CameraSubscriptions -> Worker -> FrameProcessor -> HandPublishers
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.executors import Executor, ExternalShutdownException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool, Trigger

from hamer_ros.errors import ConfigurationError, DeviceError
from hamer_ros.inference.device import Device
from hamer_ros.inference.gpu_memory import gpu_memory
from hamer_ros.ros.calibration_service import Calibration
from hamer_ros.ros.frame_processor import FrameProcessor, release
from hamer_ros.ros.images.video_packets import check_video
from hamer_ros.ros.input.frame_reader import FrameReader
from hamer_ros.ros.input.stamps import StampGate
from hamer_ros.ros.input.subscriptions import CameraSubscriptions
from hamer_ros.ros.input.topics import Topics
from hamer_ros.ros.models import make_models
from hamer_ros.ros.monitoring.camera_watch import CameraWatch
from hamer_ros.ros.monitoring.diagnostics import Diagnostics
from hamer_ros.ros.monitoring.health import Situation
from hamer_ros.ros.monitoring.observations import QUIET_AFTER, Observations
from hamer_ros.ros.monitoring.statistics import Statistics
from hamer_ros.ros.output.publishers import HandPublishers
from hamer_ros.ros.parameters import declare as declared
from hamer_ros.ros.parameters.remarks import ParameterRemarks
from hamer_ros.ros.parameters.table import Parameters
from hamer_ros.ros.reload_backoff import ATTEMPTS
from hamer_ros.ros.worker import Worker

RETRY_AFTER = 10.0
"""Seconds after which a failed start is tried again: files are copied, GPUs come back."""
RETRYING = f"; trying again in {RETRY_AFTER:g} s"


@dataclass(frozen=True)
class _Configured:
    """The objects that exist between configure and cleanup.

    undo: closing it destroys all of them.
    """

    parameters: Parameters
    camera: CameraSubscriptions
    watch: CameraWatch
    calibration: Calibration
    publishers: HandPublishers
    processor: FrameProcessor
    worker: Worker
    undo: ExitStack


class HamerNode(LifecycleNode):
    """Publishes the hands in a camera's images.

    make_models: loads the models that the parameters ask for; tests replace it.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__("hamer", **options)
        self.make_models = make_models
        self._refused = declared.declare(self)
        self.add_post_set_parameters_callback(self._on_parameters_set)
        self._statistics = Statistics(time.monotonic())
        self._observations = Observations(self.get_logger())
        self._remarks = ParameterRemarks(self, self._observations)
        self._diagnostics = Diagnostics(self, self._statistics, self._observations)
        # A steady clock: diagnostics must come even while simulated time stands still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self.create_timer(1.0, self._diagnose, clock=steady)
        self._retry = self.create_timer(RETRY_AFTER, self._on_retry, clock=steady)
        self._retry.cancel()
        self._failed_starts = 0
        self._device_failed = False
        self._state = "unconfigured"
        self._track_ids = count(1)
        self._enabled = True
        self._failure = ""
        self._has_given_up = False
        self._in_use: Parameters | None = None
        self._configured: _Configured | None = None
        self._last_image = time.monotonic()

    # Lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the models and connect; on a failure undo what was done and log the reason."""
        self._state = "configuring"
        self._diagnose()  # the next one comes when the models are loaded
        with ExitStack() as undo:
            try:
                self._configured = self._set_up(undo)
            except Exception as error:
                failure = f"configure failed: {error}"
                # Logged once, however often it is tried again.
                if self._failure != failure + RETRYING:
                    self.get_logger().error(failure)
                self._state, self._failure = "unconfigured", failure
                self._device_failed = isinstance(error, DeviceError)
                return TransitionCallbackReturn.FAILURE
        self._state, self._failure = "inactive", ""
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to process images."""
        super().on_activate(state)
        assert self._configured is not None
        self._configured.processor.reset()
        self._configured.camera.clear()
        self._configured.publishers.publish_topology()
        self._last_image = time.monotonic()
        self._statistics.clear(self._last_image)
        self._state = "active"
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop processing; an image under way is abandoned."""
        self._state = "inactive"
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Undo configure."""
        self._tear_down("unconfigured")
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Undo everything, from any state."""
        self._tear_down("finalized")
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Undo everything after a transition raised an exception, so that it can be tried again."""
        self._failure = f"the transition from {state.label} failed"
        self._tear_down("unconfigured")
        return TransitionCallbackReturn.SUCCESS

    def destroy_node(self) -> None:
        """Stop the worker, then destroy the node."""
        self._tear_down("finalized")
        super().destroy_node()

    @property
    def has_given_up(self) -> bool:
        """True if the node has ended itself because its models could not be loaded again."""
        return self._has_given_up

    @property
    def failure(self) -> str:
        """The reason why the node could not be configured; empty if it could."""
        return self._failure

    @property
    def problem(self) -> str:
        """The error of the models in use; empty without one."""
        return "" if self._configured is None else self._configured.worker.problem

    def start(self) -> None:
        """Configure and activate, as a lifecycle manager would; a failure is retried.

        Retries end where the GPU is the cause rather than a file, a parameter or a package: a
        process in which CUDA did not initialise never gets another chance.
        """
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self._failed_starts = 0
            self.trigger_activate()
            return
        self._failed_starts = self._failed_starts + 1 if self._device_failed else 0
        if self._failed_starts >= ATTEMPTS:
            self._give_up()
        else:
            self._failure += RETRYING
            self._retry.reset()

    def _on_retry(self) -> None:
        self._retry.cancel()
        # Unless another process has configured the node meanwhile.
        if self._state == "unconfigured" and self._failure:
            self.start()

    def spin_once(self, executor: Executor, seconds: float | None = None) -> None:
        """Run one callback, or return after some seconds; exceptions of callbacks are logged.

        rclpy's own callbacks raise some, by which any client could end the node: for a transition
        that its state does not have, or a /clock before 1970.
        """
        try:
            executor.spin_once(seconds)
        except ExternalShutdownException:
            raise
        except Exception as error:
            self._observations.note("callback failed", f"{type(error).__name__}: {error}")

    # Set-up

    def _set_up(self, undo: ExitStack) -> _Configured:
        """Create everything between configure and cleanup; closing the stack destroys it again."""
        if self._refused:
            raise ConfigurationError("; ".join(self._refused.values()))
        parameters = self._in_use = declared.read(self)
        undo.callback(release, parameters.device)
        if parameters.image_transport == "ffmpeg":
            check_video()  # before large models are read
        models = self.make_models(parameters)
        estimator = models.estimator
        self._enabled = True
        topics = Topics.of(self, parameters)
        publishers = HandPublishers(self, estimator.model, estimator.name, parameters.tf_prefix)
        undo.callback(publishers.close)
        calibration = Calibration(self, parameters, self._is_idle)
        undo.callback(calibration.close)
        processor = FrameProcessor(
            parameters=self._current,
            models=models,
            make_models=lambda: self.make_models(parameters),
            stamps=StampGate(topics.image),
            reader=FrameReader(topics, self._observations, self._statistics.without_depth),
            calibration=calibration,
            publishers=publishers,
            clock=self.get_clock(),
            track_ids=self._track_ids,
            statistics=self._statistics,
            observations=self._observations,
        )
        undo.callback(processor.unload)
        worker = Worker(
            processor, self._is_idle, self._give_up, self._statistics, self._observations
        )
        undo.callback(worker.close)
        camera = CameraSubscriptions(
            self, self._current, self._wants_image, worker, self._observations
        )
        undo.callback(camera.close)
        for kind, name, answer in (
            (SetBool, "~/enable", self._answer_enable),
            (Trigger, "~/reset_tracks", self._answer_reset_tracks),
        ):
            undo.callback(self.destroy_service, self.create_service(kind, name, answer))
        self.get_logger().info(
            f"estimator {estimator.name} ({estimator.engine}) with hand model "
            f"{estimator.model.name}, detector {parameters.detector} on {parameters.device}; "
            f"images from '{topics.image}', intrinsics from '{topics.camera_info}'"
        )
        watch = CameraWatch(self, camera)
        return _Configured(
            parameters, camera, watch, calibration, publishers, processor, worker, undo.pop_all()
        )

    def _tear_down(self, state: str) -> None:
        """Undo configure; the state is set first, because it stops the worker."""
        self._state = state
        configured, self._configured = self._configured, None
        if configured is not None:
            configured.undo.close()

    def _on_parameters_set(self, changed: list[Parameter]) -> None:
        for parameter in changed:
            self._refused.pop(parameter.name, None)
        if self._in_use is not None:
            self._in_use = declared.with_live(self._in_use, changed)
        self._remark()

    # Services

    def _answer_enable(
        self, request: SetBool.Request, response: SetBool.Response
    ) -> SetBool.Response:
        """Switch the processing of images on or off; the models stay loaded."""
        if request.data and not self._enabled and self._configured is not None:
            self._configured.processor.reset()
        self._enabled = request.data
        response.success = True
        response.message = "images are processed" if request.data else "images are ignored"
        if self._state != "active":
            response.message += f" once the node is active; it is {self._state}"
        return response

    def _answer_reset_tracks(
        self, _: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        """Forget all hands; the worker does so with its next image."""
        if self._configured is not None:
            self._configured.processor.reset()
        response.success = True
        response.message = "all hands are forgotten; those of the next image get new track ids"
        return response

    # Images

    def _wants_image(self) -> bool:
        """Count an image and return True if it is to be processed; on the executor's thread."""
        if self._state != "active":
            return False
        self._last_image = time.monotonic()
        if not self._enabled:
            return False
        self._statistics.received()
        return True

    def _current(self) -> Parameters:
        assert self._in_use is not None
        return self._in_use

    def _is_idle(self) -> bool:
        """True if nobody waits for hands; any thread.  A signal shuts the context down first."""
        return self._state != "active" or not self._enabled or not self.context.ok()

    def _give_up(self) -> None:
        """End the process, because only a new one may do better; any thread."""
        self.get_logger().fatal(
            f"the GPU has failed {ATTEMPTS} times in a row: the node ends itself, for only a new "
            "process may find it well again"
        )
        self._has_given_up = True
        self.context.try_shutdown()

    # Diagnostics

    def _remark(self) -> None:
        """Note what is odd about the parameters and the calibration."""
        configured = self._configured
        self._remarks.update(None if configured is None else self._in_use)
        if configured is not None and configured.calibration.problem:
            self._observations.note("hands.yaml", configured.calibration.problem)
        else:
            self._observations.settled("hands.yaml")

    def _diagnose(self) -> None:
        self._remark()
        now = time.monotonic()
        if self._state == "active" and self._configured is not None:
            period = self._configured.camera.arrivals.period or 0.0
            self._observations.quiet_after = max(QUIET_AFTER, 3 * period)
            self._configured.watch.look_for_latched_info()
            for subject, text in self._configured.watch.remarks(now):
                self._observations.note(subject, text)
        self._diagnostics.publish(self._situation(now), self._values(), now)

    def _situation(self, now: float) -> Situation:
        odd = self._diagnostics.odd()
        configured = self._configured
        if configured is None:
            return Situation(self._state, self._failure, observations=odd)
        silence = now - self._last_image
        return Situation(
            state=self._state,
            problem=configured.worker.problem,
            enabled=self._enabled,
            topic=configured.camera.image_topic,
            silence=silence,
            silence_after=self._current().silence_after,
            why_silent=partial(configured.watch.why_silent, silence),
            under_way=configured.worker.under_way(now),
            flow=self._statistics.flow(now),
            observations=odd,
        )

    def _values(self) -> dict[str, str]:
        """Return the key-value pairs of the status."""
        configured = self._configured
        if configured is None:
            return {}
        parameters = configured.parameters
        values = {
            "estimator": parameters.estimator,
            "detector": parameters.detector,
            "device": str(parameters.device),
            **_memory(parameters.device),
        }
        # None while they are being loaded again.
        if (models := configured.processor.models) is not None:
            estimator = models.estimator
            values |= {"engine": estimator.engine, "hand model": estimator.model.name}
        return values


def _memory(device: Device) -> dict[str, str]:
    try:
        memory = gpu_memory(device)
    except RuntimeError as error:
        return {"GPU memory": f"the GPU does not answer: {error}"}
    if memory is None:
        return {}
    values = {"GPU memory in use (MB)": f"{memory.used:.0f} of {memory.total:.0f}"}
    if memory.torch is not None:
        values["GPU memory held by torch (MB)"] = f"{memory.torch:.0f}"
    return values
