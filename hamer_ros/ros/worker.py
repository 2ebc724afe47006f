"""The thread that processes images, and what it does when they cannot be processed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from hamer_ros.hands import AbandonedError
from hamer_ros.ros.inputs import FrameMessages
from hamer_ros.ros.latest import Latest
from hamer_ros.ros.observations import DISCOVERY_TIME, Observations
from hamer_ros.ros.rejection import FrameRejectedError
from hamer_ros.ros.repair import Repair
from hamer_ros.ros.statistics import OVERTAKEN, UNWANTED, Statistics

PATIENCE = 5.0
"""Seconds that a worker is waited for when it is closed."""

_UNDISCOVERED = frozenset({"no camera_info", "no boxes"})
"""Reasons to leave an image out that may lie in a publisher that has not been found yet."""


@dataclass(frozen=True)
class Work:
    """What there is to do; all of it is called on the worker's thread.

    is_idle: whether nobody waits for hands.
    process: makes messages of an image; raises FrameRejectedError where the image cannot be used,
        and AbandonedError where the function that it is given says that nobody waits for it.
    load_again: puts new models in the place of those that fail.
    give_up: is called when the device has failed too often while models were loaded.
    """

    is_idle: Callable[[], bool]
    process: Callable[[FrameMessages, Callable[[], bool]], None]
    load_again: Callable[[], None]
    give_up: Callable[[], None]


@dataclass(frozen=True)
class Report:
    """Where it is told what becomes of images."""

    statistics: Statistics
    observations: Observations

    def drop(self, reason: str, detail: str) -> None:
        """An image was not processed."""
        self.statistics.dropped(reason, detail)
        self.observations.saw(reason, detail, DISCOVERY_TIME if reason in _UNDISCOVERED else 0.0)


class Worker:
    """Processes the newest image, one after the other, from now on until it is closed."""

    def __init__(self, work: Work, report: Report) -> None:
        self._work = work
        self._report = report
        self._slot: Latest[FrameMessages] = Latest()
        self._repair = Repair()
        self._since: float | None = None
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def trouble(self) -> str:
        """What is wrong with the models, in words; empty while all is well."""
        return self._repair.trouble

    def under_way(self, now: float) -> float:
        """Seconds that the image under way has taken so far, by a monotonic clock; 0 if none is."""
        since = self._since
        return 0.0 if since is None else now - since

    def put(self, message: FrameMessages) -> None:
        """Leave an image from another thread; it takes the place of one that waits."""
        if self._slot.put(message):
            self._report.statistics.dropped(OVERTAKEN)

    def close(self) -> None:
        """End the thread once the image under way is done.

        A thread that does not come back in time, from a GPU that hangs or from the loading of a
        large model, is left behind: it ends, and frees what it holds, when it does come back.
        """
        self._is_closed = True
        self._slot.close()
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            self._report.observations.saw(
                "worker left behind",
                f"a net or the loading of models has not come back for {PATIENCE:g} s; its memory "
                "is freed when it does",
            )

    def _run(self) -> None:
        while (message := self._slot.take()) is not None:
            if self._is_unwanted():
                self._report.statistics.dropped(UNWANTED)
                continue
            if self._repair.is_due(time.monotonic()):
                self._load_again()
            if self._repair.is_broken:
                self._report.statistics.dropped("models failed")
            else:
                self._since = time.monotonic()
                self._try(message)
                self._since = None

    def _is_unwanted(self) -> bool:
        return self._is_closed or self._work.is_idle()

    def _try(self, message: FrameMessages) -> None:
        try:
            self._work.process(message, self._is_unwanted)
        except AbandonedError:
            self._report.statistics.dropped(UNWANTED)
        except FrameRejectedError as rejection:
            self._report.drop(rejection.reason, str(rejection))
        except Exception as error:
            if self._is_unwanted():  # what it needed may be gone already
                self._report.statistics.dropped(UNWANTED)
                return
            self._report.drop("internal error", f"{type(error).__name__}: {error}")
            self._repair.frame_failed(error, time.monotonic())
        else:
            self._repair.frame_succeeded()

    def _load_again(self) -> None:
        try:
            self._work.load_again()
        except Exception as error:
            self._repair.loading_failed(error, time.monotonic())
            if self._repair.is_hopeless and not self._is_closed:
                self._work.give_up()
        else:
            self._repair.loaded()
