"""The service ``~/calibrate_hand``, which measures a hand's length or takes a stated one."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode
from rclpy.task import Future

from hamer_ros.errors import HamerRosError
from hamer_ros.files.user_folders import user_folder
from hamer_ros.hands import Handedness, PlacedHand
from hamer_ros.placement.hand_length_measurement import Measurement, check_length
from hamer_ros.placement.hands_file import load_sizes, save_sizes
from hamer_ros.placement.size import Size, stated_size
from hamer_ros.ros.parameters.table import Parameters
from hamer_ros.srv import CalibrateHand

TIMEOUT = 15.0
"""Seconds after which a measurement is given up."""
DISTANCES = (0.1, 3.0)
"""Nearest and farthest distance in metres at which a hand can be measured."""

_HANDEDNESS = {
    CalibrateHand.Request.LEFT: Handedness.LEFT,
    CalibrateHand.Request.RIGHT: Handedness.RIGHT,
    CalibrateHand.Request.BOTH: None,
}


def sizes_file() -> Path:
    """Return the file of calibrated sizes: hamer_ros/hands.yaml in ~/.config or $XDG_CONFIG_HOME.

    Raises:
        ConfigurationError: the home folder is not known.
    """
    return user_folder("XDG_CONFIG_HOME", ".config") / "hamer_ros" / "hands.yaml"


def known_lengths(parameters: Parameters) -> tuple[dict[Handedness, Size], str]:
    """Return the lengths that are known before any image, and an error text, empty without one.

    A file that cannot be read is no obstacle: the population average holds, as before a
    calibration.
    """
    if parameters.hand_length > 0:
        return dict.fromkeys(Handedness, stated_size(parameters.hand_length)), ""
    try:
        return load_sizes(sizes_file(), parameters.person), ""
    except HamerRosError as error:
        return {}, f"{error}; until then people's average holds for '{parameters.person}'"


class Calibration:
    """Answers the service; a measurement takes in the images that the worker processes meanwhile.

    parameters: those that the node was configured with.
    is_idle: returns True while no images are processed.
    """

    def __init__(
        self,
        node: LifecycleNode,
        parameters: Parameters,
        is_idle: Callable[[], bool],
    ) -> None:
        self._node = node
        self._person = parameters.person
        self._has_depth = parameters.use_depth
        self._is_idle = is_idle
        self._is_closed = False
        self._lengths, self._problem = known_lengths(parameters)
        self._lock = threading.Lock()
        self._current: tuple[Measurement, Future] | None = None
        # A callback group of its own: a measurement under way would block the images.  Reentrant: a
        # second request is refused meanwhile.
        self._service = node.create_service(
            CalibrateHand,
            "~/calibrate_hand",
            self._answer,
            callback_group=ReentrantCallbackGroup(),
        )

    @property
    def lengths(self) -> Mapping[Handedness, Size]:
        """The lengths of the hands that are known."""
        return self._lengths

    @property
    def problem(self) -> str:
        """The error of reading the file of sizes; empty without one."""
        return self._problem

    def close(self) -> None:
        """Destroy the service; a measurement under way fails."""
        self._is_closed = True
        if not self._finish("the node was cleaned up meanwhile"):
            self._node.destroy_service(self._service)

    def update(self, hands: list[PlacedHand], focal_sigma: float) -> None:
        """Add the hands of an image and its relative focal error; on the worker's thread."""
        with self._lock:
            current = self._current
        if current is not None and (size := current[0].add(hands, focal_sigma)) is not None:
            self._finish(size, current[0])

    async def _answer(
        self, request: CalibrateHand.Request, response: CalibrateHand.Response
    ) -> CalibrateHand.Response:
        problem = self._problem_of(request)
        if problem is not None:
            response.message = problem
            return response
        handedness = _HANDEDNESS[request.handedness]
        if request.hand_length > 0:
            size: Size | str = stated_size(request.hand_length)
        else:
            size = await self._measured(handedness, request.distance)
        if isinstance(size, str):
            response.message = f"no length was measured: {size}"
            return response
        problem = check_length(size.length)
        if problem is not None:
            is_at = f"; is the wrist {request.distance:g} m from the camera?"
            is_measured = request.distance > 0 and not request.hand_length
            response.message = problem + (is_at if is_measured else "")
            return response
        sizes = dict.fromkeys(Handedness if handedness is None else (handedness,), size)
        try:
            path = sizes_file()
            save_sizes(path, self._person, sizes)
        except HamerRosError as error:
            response.message = f"learnt, but not kept: {error}"
        else:
            response.message = f"kept for '{self._person}' in {path}"
        # The worker takes them over with its next image.
        self._lengths = {**self._lengths, **sizes}
        response.success = True
        response.hand_length, response.sigma = size.length, size.sigma
        return response

    def _problem_of(self, request: CalibrateHand.Request) -> str | None:
        """Return why a request cannot be met, before any image is looked at; None if it can."""
        if request.handedness not in _HANDEDNESS:
            return f"handedness is {request.handedness}; it is 0 (both), 1 (left) or 2 (right)"
        if not (math.isfinite(request.hand_length) and request.hand_length >= 0):
            return f"hand_length is {request.hand_length:g}; it is metres, or 0 to measure it"
        if request.hand_length > 0:
            return None
        return self._why_no_measurement(request.distance)

    def _why_no_measurement(self, distance: float) -> str | None:
        low, high = DISTANCES
        if distance != 0 and not low <= distance <= high:
            limits = f"{low:g} to {high:g} metres, or 0 to use the depth image"
            return f"distance is {distance:g}; it is {limits}"
        if self._is_idle():
            return "no length can be measured: the node is not active, or switched off"
        if distance == 0 and not self._has_depth:
            return (
                "no length can be measured: there is no depth image, for use_depth is false; give "
                "the distance, or launch with use_depth:=true"
            )
        return None

    async def _measured(self, handedness: Handedness | None, distance: float) -> Size | str:
        """Return the measured size or the reason for none, without blocking the executor."""
        future: Future = Future(executor=self._node.executor)
        measurement = Measurement(handedness, distance if distance > 0 else None)
        with self._lock:
            if self._current is not None:
                return "another measurement is under way; call again when it has ended"
            self._current = measurement, future
        # A steady clock, because simulated time may stand still.
        timer = self._node.create_timer(
            TIMEOUT,
            lambda: self._finish(self._failure_reason(measurement), measurement),
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )
        try:
            return await future
        finally:
            self._node.destroy_timer(timer)
            if self._is_closed and self._node.executor is not None:
                # Next, because the answer is still to be sent.
                self._node.executor.create_task(self._node.destroy_service, self._service)

    def _failure_reason(self, measurement: Measurement) -> str:
        if self._is_idle():
            return "the node was deactivated or switched off meanwhile"
        return f"{measurement.shortfall}, for {TIMEOUT:g} s"

    def _finish(self, result: Size | str, only: Measurement | None = None) -> bool:
        """End the measurement under way with its result; returns False if there was none.

        only: the measurement that is meant, where another one may have begun since.
        """
        with self._lock:
            current = self._current
            if current is None or only not in (None, current[0]):
                return False
            self._current = None
        current[1].set_result(result)
        return True
