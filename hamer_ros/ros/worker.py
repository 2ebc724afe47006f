"""The thread that processes images, and its reaction to those that cannot be processed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from hamer_ros.hands import AbandonedError
from hamer_ros.ros.frame_processor import FrameProcessor
from hamer_ros.ros.input.frame_messages import FrameMessages, LateDepth
from hamer_ros.ros.input.frame_rejection import FrameRejectedError
from hamer_ros.ros.latest_value import LatestValue
from hamer_ros.ros.monitoring.observations import DISCOVERY_TIME, Observations
from hamer_ros.ros.monitoring.statistics import OVERTAKEN, UNWANTED, Statistics
from hamer_ros.ros.reload_backoff import ReloadBackoff

CLOSE_SECONDS = 5.0
"""Seconds that closing waits for the thread to end."""

_UNDISCOVERED = frozenset({"no camera_info"})
"""Reasons to leave an image out that may lie in a publisher that has not been discovered yet."""


class Worker:
    """Processes the newest image, one after the other, from its construction until it is closed.

    is_idle: returns True while nobody waits for hands; called on the worker's thread.
    give_up: called there when the device has failed too often while models were loaded.
    """

    def __init__(
        self,
        processor: FrameProcessor,
        is_idle: Callable[[], bool],
        give_up: Callable[[], None],
        statistics: Statistics,
        observations: Observations,
    ) -> None:
        self._processor = processor
        self._is_idle = is_idle
        self._give_up = give_up
        self._statistics = statistics
        self._observations = observations
        self._slot: LatestValue[FrameMessages] = LatestValue()
        self._backoff = ReloadBackoff()
        self._since: float | None = None
        self._is_closed = False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    @property
    def problem(self) -> str:
        """The error of the models; empty without one."""
        return self._backoff.problem

    def under_way(self, now: float) -> float:
        """Return the seconds, by a monotonic clock, that the image under way has taken, else 0."""
        since = self._since
        return 0.0 if since is None else now - since

    def put(self, messages: FrameMessages) -> None:
        """Put an image from another thread; it replaces one that waits."""
        if self._slot.put(messages):
            self.drop(OVERTAKEN)

    def put_late_depth(self, depth: LateDepth) -> None:
        """Put a depth image that came too late for its image."""
        self._processor.add_late_depth(depth)

    def drop(self, reason: str, count: int = 1) -> None:
        """Count images that are left out; any thread."""
        self._statistics.dropped(reason, count=count)

    def close(self) -> None:
        """End the thread once the image under way is done.

        A thread that does not come back in time, from a GPU that hangs or from the loading of a
        large model, is left behind: it ends, and frees what it holds, when it does come back.
        """
        self._is_closed = True
        self._slot.close()
        self._thread.join(CLOSE_SECONDS)
        if self._thread.is_alive():
            self._observations.note(
                "worker left behind",
                f"a model or the loading of models has not come back for {CLOSE_SECONDS:g} s; its "
                "memory is freed when it does",
            )

    def _work(self) -> None:
        while (messages := self._slot.take()) is not None:
            if self._is_unwanted():
                self.drop(UNWANTED)
                continue
            if self._backoff.is_due(time.monotonic()):
                self._reload()
            if self._backoff.is_broken:
                self.drop("models failed")
            else:
                self._since = time.monotonic()
                self._process(messages)
                self._since = None

    def _is_unwanted(self) -> bool:
        return self._is_closed or self._is_idle()

    def _process(self, messages: FrameMessages) -> None:
        try:
            self._processor.process(messages, self._is_unwanted)
        except AbandonedError:
            self.drop(UNWANTED)
        except FrameRejectedError as rejection:
            self.reject(rejection.reason, str(rejection))
        except Exception as error:
            if self._is_unwanted():  # what it needed may be gone already
                self.drop(UNWANTED)
                return
            self.reject("internal error", f"{type(error).__name__}: {error}")
            self._backoff.frame_failed(error, time.monotonic())
        else:
            self._backoff.frame_succeeded()

    def reject(self, reason: str, detail: str) -> None:
        """Count an image that could not be processed, and note the reason."""
        self._statistics.dropped(reason, detail)
        delay_seconds = DISCOVERY_TIME if reason in _UNDISCOVERED else 0.0
        self._observations.note(reason, detail, delay_seconds)

    def _reload(self) -> None:
        try:
            self._processor.reload()
        except Exception as error:
            self._backoff.loading_failed(error, time.monotonic())
            if self._backoff.is_hopeless and not self._is_closed:
                self._give_up()
        else:
            self._backoff.loaded()
