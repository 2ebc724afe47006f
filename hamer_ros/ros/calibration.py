"""The service ``~/calibrate_hand``."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode
from rclpy.task import Future

from hamer_ros.hands import PlacedHand, Side
from hamer_ros.placement.calibration import Measurement, check_length, save_sizes
from hamer_ros.placement.size import Size, given
from hamer_ros.srv import CalibrateHand

TIMEOUT = 15.0
"""Seconds after which a measurement is given up."""

_SIDES = {
    CalibrateHand.Request.LEFT: Side.LEFT,
    CalibrateHand.Request.RIGHT: Side.RIGHT,
    CalibrateHand.Request.BOTH: None,
}


def sizes_file() -> Path:
    """Where sizes are kept: ~/.config/hamer_ros/hands.yaml, or under $XDG_CONFIG_HOME."""
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(config) / "hamer_ros" / "hands.yaml"


class Calibration:
    """Answers the service; a measurement goes on over the images that the worker processes.

    is_idle: whether no images are processed.
    learnt: is called with the sizes that were learnt.
    """

    def __init__(
        self,
        node: LifecycleNode,
        person: str,
        is_idle: Callable[[], bool],
        learnt: Callable[[dict[Side, Size]], None],
    ) -> None:
        self._node = node
        self._person = person
        self._is_idle = is_idle
        self._is_closed = False
        self._learnt = learnt
        self._lock = threading.Lock()
        self._running: tuple[Measurement, Future] | None = None
        # A group of its own: an answer under way would keep the images from coming in.
        self._service = node.create_service(
            CalibrateHand,
            "~/calibrate_hand",
            self._answer,
            callback_group=MutuallyExclusiveCallbackGroup(),
        )

    def close(self) -> None:
        """Take the service back; a measurement under way fails."""
        self._is_closed = True
        if not self._finish(None):
            self._node.destroy_service(self._service)

    def saw(self, hands: list[PlacedHand]) -> None:
        """Take in the hands of an image, on the worker's thread."""
        with self._lock:
            running = self._running
        if running is not None and (size := running[0].add(hands)) is not None:
            self._finish(size)

    async def _answer(
        self, request: CalibrateHand.Request, response: CalibrateHand.Response
    ) -> CalibrateHand.Response:
        if request.side not in _SIDES:
            response.message = f"side is {request.side}; it is 0 (both), 1 (left) or 2 (right)"
            return response
        side = _SIDES[request.side]
        size = given(request.hand_length) if request.hand_length > 0 else None
        if size is None and self._is_idle():
            response.message = "no length can be measured: the node is not active, or switched off"
            return response
        if size is None:
            size = await self._measured(side, request.distance)
        if size is None:
            response.message = (
                "no length was measured: show exactly one hand, and publish an aligned depth "
                "image (use_depth:=true) or give the distance"
            )
            return response
        problem = check_length(size.length)
        if problem is not None:
            response.message = problem
            return response
        sizes = dict.fromkeys(Side if side is None else (side,), size)
        try:
            save_sizes(sizes_file(), self._person, sizes)
        except (OSError, ValueError) as error:
            response.message = f"learnt, but not kept: {error}"
        else:
            response.message = f"kept for '{self._person}' in {sizes_file()}"
        self._learnt(sizes)
        response.success = True
        response.hand_length, response.sigma = size.length, size.sigma
        return response

    async def _measured(self, side: Side | None, distance: float) -> Size | None:
        """Wait for the worker without blocking the executor."""
        future: Future = Future(executor=self._node.executor)
        with self._lock:
            if self._running is not None:
                return None
            self._running = Measurement(side, distance if distance > 0 else None), future
        # Of a steady clock: simulated time may stand still.
        timer = self._node.create_timer(
            TIMEOUT,
            lambda: self._finish(None),
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )
        try:
            return await future
        finally:
            self._node.destroy_timer(timer)
            if self._is_closed and self._node.executor is not None:
                # Next, because the answer is still to be sent.
                self._node.executor.create_task(self._node.destroy_service, self._service)

    def _finish(self, size: Size | None) -> bool:
        """End the measurement under way with what it found; whether there was one."""
        with self._lock:
            running, self._running = self._running, None
        if running is None:
            return False
        running[1].set_result(size)
        return True
