"""The lifecycle node ``hamer``: images in, hand meshes and transforms out.

Two threads share the work.  The executor's thread receives messages and answers services; it
never waits for a net.  The worker takes the newest image, runs the pipeline and publishes.  An
image that comes while the worker is busy replaces the one that waits.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool, Trigger

from hamer_ros.detection import Detector
from hamer_ros.errors import ConfigurationError, DeviceError, HamerRosError
from hamer_ros.hands import Side
from hamer_ros.nets.device import Device
from hamer_ros.nets.gpu import gpu_memory, release_gpu_memory
from hamer_ros.placement.size import Size
from hamer_ros.recovery import Recoverer
from hamer_ros.ros import parameters as declared
from hamer_ros.ros import params_file
from hamer_ros.ros.arguments import start_rclpy
from hamer_ros.ros.calibration import Calibration, known_lengths
from hamer_ros.ros.camera_watch import CameraWatch
from hamer_ros.ros.diagnostics import Situation, health, odd_values, status
from hamer_ros.ros.ending import ending_in_time
from hamer_ros.ros.frame_reader import FrameReader, Topics
from hamer_ros.ros.inputs import FrameMessages, Inputs, LateDepth, Receiver
from hamer_ros.ros.malloc import return_large_blocks
from hamer_ros.ros.observations import DISCOVERY_TIME, QUIET_AFTER, Observations
from hamer_ros.ros.outputs import Outputs
from hamer_ros.ros.parameter_remarks import ParameterRemarks
from hamer_ros.ros.processor import Connections, Processor
from hamer_ros.ros.repair import ATTEMPTS
from hamer_ros.ros.stages import make_stages
from hamer_ros.ros.stamps import StampGate
from hamer_ros.ros.statistics import Statistics
from hamer_ros.ros.video_packets import check_video
from hamer_ros.ros.worker import Report, Work, Worker

NOT_WORKING = "not working"
"""Subject under which the log tells that hands are wanted and none can come."""

RETRY_AFTER = 10.0
"""Seconds after which a start that has failed is tried again: files are brought, GPUs come back."""
RETRYING = f"; trying again in {RETRY_AFTER:g} s"


_HELP = """\
usage: ros2 run hamer_ros hamer_node [--ros-args -r image:=/camera/image_raw -p NAME:=VALUE ...]

The lifecycle node that publishes the hands in a camera's images.  It is meant to be started by
  ros2 launch hamer_ros hamer.launch.py image_topic:=/camera/image_raw
whose --show-args explains the topics.  `ros2 param describe /hamer NAME` explains a parameter of
the running node, config/hamer.yaml lists them all.
"""


@dataclass(frozen=True)
class _Configured:
    """What there is between configure and cleanup.

    undo: takes all of it back.
    """

    inputs: Inputs
    watch: CameraWatch
    outputs: Outputs
    processor: Processor
    worker: Worker
    undo: ExitStack


class HamerNode(LifecycleNode):
    """See the module."""

    def __init__(self, **options: Any) -> None:
        super().__init__("hamer", **options)
        self._refused = declared.declare(self)
        self.add_post_set_parameters_callback(self._take_live)
        self._statistics = Statistics(time.monotonic())
        self._observations = Observations(self.get_logger())
        self._report = Report(self._statistics, self._observations)
        self._remarks = ParameterRemarks(self, self._observations)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 1)
        # Of a steady clock: that simulated time stands still has to be said.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self.create_timer(1.0, self._diagnose, clock=steady)
        self._retry = self.create_timer(RETRY_AFTER, self._start_again, clock=steady)
        self._retry.cancel()
        self._failed_starts = 0
        self._device_failed = False
        self._state = "unconfigured"
        self._track_numbers = count(1)
        self._enabled = True
        self._failure = ""
        self._has_given_up = False
        self._settings: declared.Parameters | None = None
        self._configured: _Configured | None = None
        self._lengths: dict[Side, Size] = {}
        self._lengths_trouble = ""
        self._last_image = time.monotonic()

    # Lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the nets and connect; a failure undoes what was done and says why."""
        self._state = "configuring"
        self._diagnose()  # the next one comes when the nets are there
        with ExitStack() as undo:
            try:
                self._configured = self._set_up(undo)
            except Exception as error:
                failure = f"configure failed: {error}"
                # Said once, however often it is tried again.
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
        self._configured.processor.forget()
        self._configured.inputs.clear()
        self._configured.outputs.publish_topology()
        self._last_image = time.monotonic()
        self._statistics.clear(self._last_image)
        self._state = "active"
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop processing; an image that is under way is given up."""
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
        """A transition has raised an exception: undo everything, so that it can be tried again."""
        self._failure = f"the transition from {state.label} failed"
        self._tear_down("unconfigured")
        return TransitionCallbackReturn.SUCCESS

    def destroy_node(self) -> None:
        """Stop the worker before the node goes."""
        self._tear_down("finalized")
        super().destroy_node()

    @property
    def has_given_up(self) -> bool:
        """Whether the node has ended itself because its models could not be loaded again."""
        return self._has_given_up

    def start(self) -> None:
        """Configure and activate, as a lifecycle manager would, and again where it fails.

        Not for ever where the GPU is the cause rather than a file, a parameter or a package: a
        process in which CUDA did not begin well never gets another chance.
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

    def _start_again(self) -> None:
        self._retry.cancel()
        # Unless somebody else has taken the node over meanwhile.
        if self._state == "unconfigured" and self._failure:
            self.start()

    def spin_once(self, executor: Executor, seconds: float | None = None) -> None:
        """Answer once, or wait in vain for so many seconds, whatever callbacks raise.

        Some of rclpy's own do, and any client could end the node so: by a transition that does not
        exist in its state, or by a /clock before 1970.
        """
        try:
            executor.spin_once(seconds)
        except ExternalShutdownException:
            raise
        except Exception as error:
            self._observations.saw("callback failed", f"{type(error).__name__}: {error}")

    # Set-up

    def _set_up(self, undo: ExitStack) -> _Configured:
        """Make everything; what is made is taken back by closing the stack."""
        if self._refused:
            raise ConfigurationError("; ".join(self._refused.values()))
        parameters = declared.read(self)
        undo.callback(_release, Device.parse(parameters.device))
        if parameters.image_transport == "ffmpeg":
            check_video()  # before large models are read
        stages = self._make_stages(parameters)
        _, recoverer = stages
        self._settings = parameters
        self._lengths, self._lengths_trouble = known_lengths(parameters)
        self._enabled = True
        outputs = Outputs(self, recoverer.model, recoverer.name, parameters.tf_prefix)
        undo.callback(outputs.close)
        calibration = Calibration(self, parameters, self._is_idle, self._learn)
        undo.callback(calibration.close)
        # Messages that come before the worker is there would find nobody: the executor's thread,
        # which hands them over, is the one that is here.
        inputs = Inputs(self, self._current, self._receiver(), self._observations)
        undo.callback(inputs.close)
        topics = Topics(inputs.image_topic, inputs.info_topic, inputs.depth_topic)
        reader = FrameReader(topics, self._observations, self._statistics.without_depth)
        processor = Processor(
            Connections(StampGate(inputs.image_topic), reader, calibration, outputs),
            stages,
            self.get_clock(),
            self._track_numbers,
            self._statistics,
            self._observations,
        )
        undo.callback(processor.unload)
        worker = Worker(
            Work(
                self._is_idle,
                partial(self._process, processor),
                partial(self._load_again, processor, parameters),
                self._give_up,
            ),
            self._report,
        )
        undo.callback(worker.close)
        for kind, name, answer in (
            (SetBool, "~/enable", self._answer_enable),
            (Trigger, "~/reset_tracks", self._answer_reset_tracks),
        ):
            undo.callback(self.destroy_service, self.create_service(kind, name, answer))
        self.get_logger().info(
            f"estimator {recoverer.name} ({recoverer.engine}) with hand model "
            f"{recoverer.model.name}, detector {parameters.detector} on {parameters.device}; "
            f"images from '{inputs.image_topic}', intrinsics from '{inputs.info_topic}'"
        )
        watch = CameraWatch(self, inputs)
        return _Configured(inputs, watch, outputs, processor, worker, undo.pop_all())

    def _make_stages(self, parameters: declared.Parameters) -> tuple[Detector, Recoverer]:
        return make_stages(parameters)

    def _tear_down(self, state: str) -> None:
        """Take back what configure has made; the state comes first, for it stops the worker."""
        self._state = state
        configured, self._configured = self._configured, None
        if configured is not None:
            configured.undo.close()

    def _learn(self, sizes: dict[Side, Size]) -> None:
        """From now on these sizes hold; the worker takes them over with its next image."""
        self._lengths = {**self._lengths, **sizes}

    def _take_live(self, changed: list[Parameter]) -> None:
        for parameter in changed:
            self._refused.pop(parameter.name, None)
        if self._settings is not None:
            self._settings = declared.with_live(self._settings, changed)
        self._remark()

    # Services

    def _answer_enable(
        self, request: SetBool.Request, response: SetBool.Response
    ) -> SetBool.Response:
        """Let images pass or not; the models stay loaded."""
        if request.data and not self._enabled and self._configured is not None:
            self._configured.processor.forget()
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
            self._configured.processor.forget()
        response.success = True
        response.message = "all hands are forgotten; those of the next image get new numbers"
        return response

    # Images

    def _receiver(self) -> Receiver:
        return Receiver(self._wants_image, self._take, self._drop, self._take_late)

    def _wants_image(self) -> bool:
        """Executor's thread: take note of an image; whether anything is to be done with it."""
        if self._state != "active" or self._configured is None:
            return False
        self._last_image = time.monotonic()
        if not self._enabled:
            return False
        self._statistics.received()
        return True

    def _take(self, messages: FrameMessages) -> None:
        """Executor's thread: hand an image over to the worker."""
        if self._configured is not None:
            self._configured.worker.put(messages)

    def _take_late(self, depth: LateDepth) -> None:
        if self._configured is not None:
            self._configured.processor.take_late(depth)

    def _drop(self, reason: str, count: int) -> None:
        """Executor's thread: images that are left out before the worker sees them."""
        self._statistics.dropped(reason, count=count)

    def _current(self) -> declared.Parameters:
        assert self._settings is not None
        return self._settings

    def _is_idle(self) -> bool:
        """Whether nobody waits for hands; any thread.  A signal shuts the context down first."""
        return self._state != "active" or not self._enabled or not self.context.ok()

    def _process(
        self, processor: Processor, messages: FrameMessages, abandoned: Callable[[], bool]
    ) -> None:
        """Worker's thread."""
        processor.process(messages, self._current(), self._lengths, abandoned)

    def _load_again(self, processor: Processor, parameters: declared.Parameters) -> None:
        """Worker's thread: put new models in the place of those that fail."""
        processor.unload()  # two sets may not find room in the GPU's memory
        _release(Device.parse(parameters.device))
        processor.load(self._make_stages(parameters))

    def _give_up(self) -> None:
        """End the process, for only a new one may do better; any thread."""
        self.get_logger().fatal(
            f"the GPU has failed {ATTEMPTS} times in a row: the node ends itself, for only a new "
            "process may find it well again"
        )
        self._has_given_up = True
        self.context.try_shutdown()

    # Diagnostics

    def _remark(self) -> None:
        """Tell of what is odd but no obstacle."""
        self._remarks.look(None if self._configured is None else self._settings)
        if self._lengths_trouble and self._configured is not None:
            self._observations.saw("hands.yaml", self._lengths_trouble)
        else:
            self._observations.settled("hands.yaml")

    def _diagnose(self) -> None:
        self._remark()
        now = time.monotonic()
        if self._state == "active" and self._configured is not None:
            period = self._configured.inputs.arrivals.period or 0.0
            self._observations.quiet_after = max(QUIET_AFTER, 3 * period)
            self._configured.watch.look_for_latched_info()
            for subject, text in self._configured.watch.remarks(now):
                self._observations.saw(subject, text)
        situation = self._situation(now)
        level, text = health(situation)
        # Why images are refused, or why configure failed, was said when it happened.
        is_told = situation.flow.is_refused or self._state != "active"
        if level == DiagnosticStatus.ERROR and not is_told:
            patience = DISCOVERY_TIME if self._statistics.is_untouched else 0.0
            self._observations.saw(NOT_WORKING, text, patience)
        elif level != DiagnosticStatus.ERROR:
            self._observations.settled(NOT_WORKING)
        message = DiagnosticArray()
        message.header.stamp = self.get_clock().now().to_msg()
        name = self.get_fully_qualified_name().removeprefix("/")
        values = self._values() | odd_values(situation.observations, now)
        message.status = [status(f"{name}: hands", level, text, values)]
        self._diagnostics.publish(message)

    def _situation(self, now: float) -> Situation:
        odd = [seen for seen in self._observations.present() if seen.subject != NOT_WORKING]
        configured = self._configured
        if configured is None or self._settings is None:
            return Situation(self._state, self._failure, observations=odd)
        silence = now - self._last_image
        return Situation(
            state=self._state,
            trouble=configured.worker.trouble,
            enabled=self._enabled,
            topic=configured.inputs.image_topic,
            silence=silence,
            silence_after=self._settings.silence_after,
            why_silent=partial(configured.watch.why_silent, silence),
            under_way=configured.worker.under_way(now),
            flow=self._statistics.flow(now),
            observations=odd,
        )

    def _values(self) -> dict[str, str]:
        """What goes with the status."""
        values = self._statistics.values()
        if self._configured is None or self._settings is None:
            return values
        device = Device.parse(self._settings.device)
        values |= {
            "estimator": self._settings.estimator,
            "detector": self._settings.detector,
            "device": str(device),
        }
        values |= _memory(device)
        # There are none while they are loaded again.
        processor = self._configured.processor
        if (stages := processor.stages) is not None:
            _, recoverer = stages
            values |= {"engine": recoverer.engine, "hand model": recoverer.model.name}
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


def _release(device: Device) -> None:
    """Give back the memory of models that nothing needs any more."""
    gc.collect()  # a pipeline refers to itself here and there
    release_gpu_memory(device)


def main(args: list[str] | None = None) -> int:
    """Run the node until it is interrupted; the exit status, 2 where its arguments are wrong."""
    arguments = sys.argv if args is None else args
    if {"-h", "--help"} & set(arguments[1:]):
        print(_HELP)
        return 0
    return_large_blocks()
    with ending_in_time():
        try:
            for path in params_file.named_in(arguments):
                params_file.check(path)
            start_rclpy(arguments)
            return _run()
        except HamerRosError as error:
            print(f"hamer_node: {error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            return 0


def _run() -> int:
    has_given_up = False
    try:
        node = HamerNode()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        try:
            if node.get_parameter("autostart").value:
                node.start()
            while rclpy.ok():
                node.spin_once(executor)
        finally:
            has_given_up = node.has_given_up
            node.destroy_node()
    except Exception:
        # Interrupted between two lines, rclpy finds its context shut down and calls that an error.
        if rclpy.ok():
            raise
    finally:
        rclpy.try_shutdown()
    return int(has_given_up)
