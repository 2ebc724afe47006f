"""The worker goes on, whatever becomes of images and models."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("hamer_ros.msg", reason="needs the built messages")

from hamer_ros.errors import DeviceError, MissingFileError
from hamer_ros.hands import AbandonedError
from hamer_ros.ros import reload_backoff, worker
from hamer_ros.ros.input.frame_rejection import FrameRejectedError
from hamer_ros.ros.monitoring.observations import Observations
from hamer_ros.ros.monitoring.statistics import Statistics
from hamer_ros.ros.reload_backoff import ATTEMPTS, FAILURES
from hamer_ros.ros.worker import Worker

OUT_OF_MEMORY = DeviceError("CUDA out of memory")


class Bench:
    """A worker, and a processor that does as the test says."""

    def __init__(self, monkeypatch) -> None:
        monkeypatch.setattr(reload_backoff, "FIRST_PAUSE", 0.01)
        monkeypatch.setattr(reload_backoff, "LONGEST_PAUSE", 0.01)
        self.said: list[str] = []
        self.done: list[object] = []
        self.idle = False
        self.error: Exception | None = None
        self.load_error: Exception | None = None
        self.asked = 0
        self.stop: Callable[[], object] = lambda: None
        self.stop_loading: Callable[[], object] = lambda: None
        self.loaded = 0
        self.given_up = threading.Event()
        self.statistics = Statistics(time.monotonic())
        self.worker = Worker(
            self, lambda: self.idle, self.given_up.set, self.statistics, Observations(self)
        )

    def warning(self, text: str) -> bool:
        self.said.append(text)
        return True

    def process(self, message, is_abandoned) -> None:
        self.asked += 1
        self.is_abandoned = is_abandoned
        self.stop()
        if self.error is not None:
            raise self.error
        self.done.append(message)

    def reload(self) -> None:
        self.stop_loading()
        self.loaded += 1
        if self.load_error is not None:
            raise self.load_error

    def feed_until(self, wanted: Callable[[], bool]) -> bool:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            self.worker.put("image")
            time.sleep(0.002)
            if wanted():
                return True
        return False

    def dropped(self, reason: str) -> int:
        return int(self.statistics.values().get(f"dropped: {reason}", 0))


@pytest.fixture
def bench(monkeypatch) -> Iterator[Bench]:
    bench = Bench(monkeypatch)
    yield bench
    bench.worker.close()


def test_a_worker_whose_frames_fail_loads_again_and_goes_on(bench):
    bench.error = OUT_OF_MEMORY
    assert bench.feed_until(lambda: bench.loaded >= 2)
    assert "CUDA out of memory" in bench.worker.problem
    bench.error = None
    assert bench.feed_until(lambda: bool(bench.done))
    assert bench.worker.problem == ""
    assert bench.dropped("internal error") >= 2 * FAILURES
    assert len([text for text in bench.said if "CUDA out of memory" in text]) == 1


def test_images_that_come_while_models_are_broken_are_counted(bench):
    bench.error, bench.load_error = OUT_OF_MEMORY, DeviceError("no device")
    assert bench.feed_until(lambda: bench.dropped("models failed") > 0)
    assert bench.feed_until(bench.given_up.is_set)
    assert bench.loaded == ATTEMPTS


def test_a_file_that_was_removed_meanwhile_is_waited_for(bench):
    bench.error, bench.load_error = OUT_OF_MEMORY, MissingFileError("hamer.ckpt: no such file")
    assert bench.feed_until(lambda: bench.loaded > 2 * ATTEMPTS)
    assert "hamer.ckpt: no such file" in bench.worker.problem
    assert not bench.given_up.is_set()
    bench.error = bench.load_error = None
    assert bench.feed_until(lambda: bool(bench.done))
    assert bench.worker.problem == ""


def test_images_are_no_reason_to_load_again(bench):
    bench.error = FrameRejectedError("bad image", "upside down")
    assert bench.feed_until(lambda: bench.dropped("bad image") > 5 * FAILURES)
    assert bench.loaded == 0


def test_a_frame_that_is_abandoned_is_counted_but_no_failure(bench):
    bench.error = AbandonedError()
    asked = bench.asked
    assert bench.feed_until(lambda: bench.asked > asked + 3 * FAILURES)
    bench.error = None
    assert bench.feed_until(lambda: bool(bench.done))
    assert bench.dropped("internal error") == 0
    assert bench.dropped("not wanted any more") > 3 * FAILURES
    assert bench.said == []


def test_images_that_come_while_nobody_waits_are_counted(bench):
    bench.idle = True
    assert bench.feed_until(lambda: bench.dropped("not wanted any more") > 3)
    assert bench.asked == 0


def test_a_worker_that_does_not_come_back_is_left_behind(bench, monkeypatch):
    monkeypatch.setattr(worker, "CLOSE_SECONDS", 0.2)
    begun, hangs = threading.Event(), threading.Event()
    bench.stop = lambda: (begun.set(), hangs.wait(20))
    bench.worker.put("image")
    assert begun.wait(10)
    assert bench.worker.under_way(time.monotonic() + 7.0) == pytest.approx(7.0, abs=1.0)
    begin = time.monotonic()
    bench.worker.close()
    assert time.monotonic() - begin < 5.0
    assert "left behind" in bench.said[0]
    assert bench.is_abandoned()
    hangs.set()


def test_a_worker_that_was_left_behind_ends_no_node(bench, monkeypatch):
    """It comes back from the loading of models when others are in use already."""
    monkeypatch.setattr(worker, "CLOSE_SECONDS", 0.1)
    bench.error, bench.load_error = OUT_OF_MEMORY, DeviceError("no device")
    assert bench.feed_until(lambda: bench.loaded == ATTEMPTS - 1)
    begun, hangs = threading.Event(), threading.Event()
    bench.stop_loading = lambda: (begun.set(), hangs.wait(20))
    assert bench.feed_until(begun.is_set)
    bench.worker.close()
    hangs.set()
    bench.worker._thread.join(10)
    assert bench.loaded == ATTEMPTS
    assert not bench.given_up.is_set()
