"""The service ``~/calibrate_hand``."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from pathlib import Path

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode
from rclpy.task import Future

from hamer_ros.errors import HamerRosError
from hamer_ros.hands import PlacedHand, Side
from hamer_ros.placement.calibration import Measurement, check_length
from hamer_ros.placement.hands_file import load_sizes, save_sizes
from hamer_ros.placement.size import Size, given
from hamer_ros.ros.parameters import Parameters
from hamer_ros.srv import CalibrateHand
from hamer_ros.user_folders import user_folder

TIMEOUT = 15.0
"""Seconds after which a measurement is given up."""
DISTANCES = (0.1, 3.0)
"""Metres at which a person can hold a hand so that its length can be measured."""

_SIDES = {
    CalibrateHand.Request.LEFT: Side.LEFT,
    CalibrateHand.Request.RIGHT: Side.RIGHT,
    CalibrateHand.Request.BOTH: None,
}


def sizes_file() -> Path:
    """Where sizes are kept: ~/.config/hamer_ros/hands.yaml, or under $XDG_CONFIG_HOME.

    Raises:
        ConfigurationError: nobody knows where the home folder is.
    """
    return user_folder("XDG_CONFIG_HOME", ".config") / "hamer_ros" / "hands.yaml"


def known_lengths(parameters: Parameters) -> tuple[dict[Side, Size], str]:
    """What is known of the hands before any image, and why it is not more; empty if all is well.

    A broken file keeps nobody from working: people's average holds, as before a calibration.
    """
    if parameters.hand_length > 0:
        return dict.fromkeys(Side, given(parameters.hand_length)), ""
    try:
        return load_sizes(sizes_file(), parameters.person), ""
    except HamerRosError as error:
        return {}, f"{error}; until then people's average holds for '{parameters.person}'"


class Calibration:
    """Answers the service; a measurement goes on over the images that the worker processes.

    parameters: what the node is configured with.
    is_idle: whether no images are processed.
    learnt: is called with the sizes that were learnt.
    """

    def __init__(
        self,
        node: LifecycleNode,
        parameters: Parameters,
        is_idle: Callable[[], bool],
        learnt: Callable[[dict[Side, Size]], None],
    ) -> None:
        self._node = node
        self._person = parameters.person
        self._has_depth = parameters.use_depth
        self._is_idle = is_idle
        self._is_closed = False
        self._learnt = learnt
        self._lock = threading.Lock()
        self._running: tuple[Measurement, Future] | None = None
        # A group of its own: an answer under way would keep the images from coming in.  Reentrant:
        # a second request is answered meanwhile, with the words that it is one too many.
        self._service = node.create_service(
            CalibrateHand,
            "~/calibrate_hand",
            self._answer,
            callback_group=ReentrantCallbackGroup(),
        )

    def close(self) -> None:
        """Take the service back; a measurement under way fails."""
        self._is_closed = True
        if not self._finish("the node was cleaned up meanwhile"):
            self._node.destroy_service(self._service)

    def saw(self, hands: list[PlacedHand], focal_sigma: float) -> None:
        """Take in the hands of an image and how sure its focal length is; worker's thread."""
        with self._lock:
            running = self._running
        if running is not None and (size := running[0].add(hands, focal_sigma)) is not None:
            self._finish(size)

    async def _answer(
        self, request: CalibrateHand.Request, response: CalibrateHand.Response
    ) -> CalibrateHand.Response:
        problem = self._problem_of(request)
        if problem is not None:
            response.message = problem
            return response
        side = _SIDES[request.side]
        if request.hand_length > 0:
            size: Size | str = given(request.hand_length)
        else:
            size = await self._measured(side, request.distance)
        if isinstance(size, str):
            response.message = f"no length was measured: {size}"
            return response
        problem = check_length(size.length)
        if problem is not None:
            is_at = f"; is the wrist {request.distance:g} m from the camera?"
            is_measured = request.distance > 0 and not request.hand_length
            response.message = problem + (is_at if is_measured else "")
            return response
        sizes = dict.fromkeys(Side if side is None else (side,), size)
        try:
            path = sizes_file()
            save_sizes(path, self._person, sizes)
        except HamerRosError as error:
            response.message = f"learnt, but not kept: {error}"
        else:
            response.message = f"kept for '{self._person}' in {path}"
        self._learnt(sizes)
        response.success = True
        response.hand_length, response.sigma = size.length, size.sigma
        return response

    def _problem_of(self, request: CalibrateHand.Request) -> str | None:
        """Why a request cannot be met, before any image is looked at."""
        if request.side not in _SIDES:
            return f"side is {request.side}; it is 0 (both), 1 (left) or 2 (right)"
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

    async def _measured(self, side: Side | None, distance: float) -> Size | str:
        """Wait for the worker without blocking the executor; a text says why there is no size."""
        future: Future = Future(executor=self._node.executor)
        measurement = Measurement(side, distance if distance > 0 else None)
        with self._lock:
            if self._running is not None:
                return "another measurement is under way; call again when it has ended"
            self._running = measurement, future
        # Of a steady clock: simulated time may stand still.
        timer = self._node.create_timer(
            TIMEOUT,
            lambda: self._finish(self._why_in_vain(measurement)),
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )
        try:
            return await future
        finally:
            self._node.destroy_timer(timer)
            if self._is_closed and self._node.executor is not None:
                # Next, because the answer is still to be sent.
                self._node.executor.create_task(self._node.destroy_service, self._service)

    def _why_in_vain(self, measurement: Measurement) -> str:
        if self._is_idle():
            return "the node was deactivated or switched off meanwhile"
        return f"{measurement.shortfall}, for {TIMEOUT:g} s"

    def _finish(self, result: Size | str) -> bool:
        """End the measurement under way with what it found; whether there was one."""
        with self._lock:
            running, self._running = self._running, None
        if running is None:
            return False
        running[1].set_result(result)
        return True
