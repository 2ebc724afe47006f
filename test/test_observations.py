"""What is odd is said once, kept for diagnostics, and taken back when it is over."""

from __future__ import annotations

import pytest

from hamer_ros.ros.monitoring.observations import QUIET_AFTER, Observations


class Log:
    """A logger and a clock that a test moves."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.now = 100.0

    def warning(self, message: str) -> bool:
        self.lines.append(f"WARN {message}")
        return True

    def info(self, message: str) -> bool:
        self.lines.append(f"INFO {message}")
        return True


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def observations(log: Log) -> Observations:
    return Observations(log, lambda: log.now)


def test_something_odd_is_said_once_however_often_it_is_seen(observations, log):
    for width in range(5):
        observations.note("bad image", f"it is {width} wide")
    assert log.lines == ["WARN bad image: it is 0 wide"]


def test_it_is_present_with_its_last_text_since_when_and_how_often(observations, log):
    observations.note("late", "by 3 ms")
    log.now += 2.0
    observations.note("late", "by 5 ms")
    (late,) = observations.present()
    assert (late.subject, late.text, late.since, late.last, late.count) == (
        "late",
        "by 5 ms",
        100.0,
        102.0,
        2,
    )


def test_what_is_settled_is_taken_back_once(observations, log):
    observations.note("no images", "nobody publishes them")
    log.now += 4.0
    observations.note("no images", "nobody publishes them")
    observations.settled("no images")
    observations.settled("no images")
    assert log.lines[1:] == ["INFO over: no images (2 times in 4 s)"]
    assert observations.present() == ()


def test_what_is_not_seen_for_long_is_over_and_said_anew_when_it_comes_back(observations, log):
    observations.note("late", "by 3 ms")
    log.now += QUIET_AFTER + 0.1
    assert observations.present() == ()
    observations.note("late", "by 4 ms")
    assert log.lines == [
        "WARN late: by 3 ms",
        "INFO over: late (once in 0 s)",
        "WARN late: by 4 ms",
    ]


def test_what_may_mend_itself_is_said_only_when_it_lasts(observations, log):
    observations.note("no camera_info", "none on /camera_info", delay_seconds=3.0)
    log.now += 2.9
    observations.note("no camera_info", "none on /camera_info", delay_seconds=3.0)
    assert log.lines == []
    assert observations.present() == ()
    log.now += 0.2
    observations.note("no camera_info", "none on /camera_info", delay_seconds=3.0)
    assert log.lines == ["WARN no camera_info: none on /camera_info"]
    assert [o.count for o in observations.present()] == [3]


def test_what_mended_itself_in_time_is_never_spoken_of(observations, log):
    observations.note("no camera_info", "none on /camera_info", delay_seconds=3.0)
    observations.settled("no camera_info")
    assert log.lines == []


def test_where_images_come_seldom_an_observation_lasts_from_one_to_the_next(observations, log):
    observations.quiet_after = 45.0
    for _ in range(3):
        observations.note("no camera_info", "none", delay_seconds=3.0)
        log.now += 15.0
        observations.present()
    assert log.lines == ["WARN no camera_info: none"]
