"""The thread that processes images, and what it does when they cannot be processed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from hamer_ros.hands import AbandonedError
from hamer_ros.ros.camera_input import ImageMessage
from hamer_ros.ros.complaints import Complaints
from hamer_ros.ros.diagnostics import Statistics
from hamer_ros.ros.latest import Latest
from hamer_ros.ros.rejection import FrameRejectedError
from hamer_ros.ros.repair import Repair


@dataclass(frozen=True)
class Work:
    """What there is to do; all of it is called on the worker's thread.

    is_idle: whether nobody waits for hands.
    process: makes messages of an image; raises FrameRejectedError where the image cannot be used
        and AbandonedError where nobody waited for it any more.
    load_again: puts new models in the place of those that fail.
    give_up: is called when loading has failed too often.
    """

    is_idle: Callable[[], bool]
    process: Callable[[ImageMessage], None]
    load_again: Callable[[], None]
    give_up: Callable[[], None]


@dataclass(frozen=True)
class Report:
    """Where a worker tells what became of images."""

    statistics: Statistics
    complain: Complaints


class Worker:
    """Processes the newest image, one after the other, from now on until it is closed."""

    def __init__(self, work: Work, report: Report) -> None:
        self._work = work
        self._report = report
        self._slot: Latest[ImageMessage] = Latest()
        self._repair = Repair()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def trouble(self) -> str:
        """What is wrong with the models, in words; empty while all is well."""
        return self._repair.trouble

    def put(self, message: ImageMessage) -> None:
        """Leave an image from another thread; it takes the place of one that waits."""
        if self._slot.put(message):
            self._report.statistics.dropped("newer image came")

    def close(self) -> None:
        """End the thread; waits for the image under way."""
        self._slot.close()
        self._thread.join()

    def _run(self) -> None:
        while (message := self._slot.take()) is not None:
            if self._work.is_idle():
                continue
            if self._repair.is_due(time.monotonic()):
                self._load_again()
            if self._repair.is_broken:
                self._report.statistics.dropped("models failed")
            else:
                self._try(message)

    def _try(self, message: ImageMessage) -> None:
        try:
            self._work.process(message)
        except AbandonedError:
            return
        except FrameRejectedError as rejection:
            self._drop(rejection.reason, str(rejection))
        except Exception as error:
            if self._work.is_idle():  # what it needed may be gone already
                return
            self._drop("internal error", f"{type(error).__name__}: {error}")
            self._repair.frame_failed(error, time.monotonic())
        else:
            self._repair.frame_succeeded()

    def _drop(self, reason: str, detail: str) -> None:
        self._report.statistics.dropped(reason)
        self._report.complain(reason, detail)

    def _load_again(self) -> None:
        try:
            self._work.load_again()
        except Exception as error:
            self._repair.loading_failed(error, time.monotonic())
            if self._repair.is_hopeless:
                self._work.give_up()
        else:
            self._repair.loaded()
