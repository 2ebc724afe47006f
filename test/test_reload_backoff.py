"""When models are loaded again because frames fail."""

from __future__ import annotations

import pytest

from hamer_ros.errors import ConfigurationError, DeviceError, FileFormatError, MissingFileError
from hamer_ros.ros.reload_backoff import (
    ATTEMPTS,
    FAILURES,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    ReloadBackoff,
)

OUT_OF_MEMORY = DeviceError("CUDA out of memory")


def fail(repair: ReloadBackoff, now: float, times: int = FAILURES) -> None:
    for _ in range(times):
        repair.frame_failed(OUT_OF_MEMORY, now)


def test_one_accident_is_none():
    repair = ReloadBackoff()
    for _ in range(10):
        fail(repair, 0.0, FAILURES - 1)
        repair.frame_succeeded()
    assert not repair.is_broken
    assert repair.problem == ""


def test_after_some_failures_in_a_row_the_models_are_due_after_a_pause():
    repair = ReloadBackoff()
    fail(repair, 10.0)
    assert repair.is_broken
    assert "CUDA out of memory" in repair.problem
    assert not repair.is_due(10.0)
    assert repair.is_due(10.0 + FIRST_PAUSE)
    repair.loaded()
    assert not repair.is_broken


def test_trouble_lasts_until_a_frame_succeeds():
    repair = ReloadBackoff()
    fail(repair, 0.0)
    repair.loaded()
    assert repair.problem
    repair.frame_succeeded()
    assert not repair.problem


def test_pauses_double_up_to_the_longest():
    repair, now, pauses = ReloadBackoff(), 0.0, []
    for _ in range(8):
        fail(repair, now)
        pause = next(p for p in range(100) if repair.is_due(now + p))
        pauses.append(pause)
        now += pause
        repair.loaded()
    assert pauses == [1, 2, 4, 8, 16, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]


def test_a_device_that_always_fails_is_hopeless_in_the_end():
    repair = ReloadBackoff()
    fail(repair, 0.0)
    for attempt in range(ATTEMPTS):
        assert not repair.is_hopeless
        repair.loading_failed(DeviceError("no such device"), float(attempt))
        assert "no such device" in repair.problem
    assert repair.is_hopeless


def test_a_loading_that_succeeds_makes_hope_again():
    repair = ReloadBackoff()
    for _ in range(3):
        fail(repair, 0.0)
        for _ in range(ATTEMPTS - 1):
            repair.loading_failed(DeviceError("gone"), 0.0)
        repair.loaded()
    assert not repair.is_hopeless


@pytest.mark.parametrize(
    "mistake",
    [
        MissingFileError("hamer.ckpt: no such file"),
        FileFormatError("hamer.ckpt: is a web page"),
        ConfigurationError("device is cuda"),
        ImportError("No module named 'torch'"),
        OSError("Input/output error"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_a_person_can_put_right_is_waited_for(mistake):
    repair = ReloadBackoff()
    fail(repair, 0.0)
    for attempt in range(5 * ATTEMPTS):
        repair.loading_failed(mistake, float(attempt))
        assert not repair.is_hopeless
    assert str(mistake) in repair.problem
    assert repair.is_due(5 * ATTEMPTS + LONGEST_PAUSE)


def test_only_failures_of_the_device_in_a_row_are_hopeless():
    repair = ReloadBackoff()
    fail(repair, 0.0)
    for error in (DeviceError("gone"), MissingFileError("hamer.ckpt: no such file")):
        for _ in range(ATTEMPTS - 1):
            repair.loading_failed(error, 0.0)
    repair.loading_failed(DeviceError("gone"), 0.0)
    assert not repair.is_hopeless
