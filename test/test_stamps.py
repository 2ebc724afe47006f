"""Stamps that an image may have, and those that it may not."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from builtin_interfaces.msg import Time
from hypothesis import given
from hypothesis import strategies as st

from hamer_ros.pipeline import LATE
from hamer_ros.ros.input.frame_rejection import FrameRejectedError
from hamer_ros.ros.input.stamps import LATE_RUN, MAX_AHEAD, StampGate, duration

NOW = 1_000_000_000_000
"""Nanoseconds."""


def at(seconds: float) -> Time:
    """A stamp so many seconds from now."""
    sec, nanosec = divmod(NOW + round(1e9 * seconds), 10**9)
    return Time(sec=sec, nanosec=nanosec)


def refusal(gate: StampGate, stamp: Time, now: int = NOW, max_age: float = 0.0) -> str:
    """Why a stamp is refused; empty when it is not."""
    try:
        gate.admit(stamp, now, max_age)
    except FrameRejectedError as rejection:
        assert "/image" in str(rejection)
        return rejection.reason
    return ""


@pytest.fixture
def gate() -> StampGate:
    return StampGate("/image")


def test_a_stream_in_order_passes(gate):
    assert [refusal(gate, at(k / 30)) for k in range(-10, 1)] == [""] * 11


def test_the_same_stamp_twice_passes(gate):
    assert [refusal(gate, at(0)) for _ in range(3)] == [""] * 3


def test_the_future_is_refused_but_for_what_clocks_differ_by(gate):
    assert refusal(gate, at(0.9 * MAX_AHEAD)) == ""
    assert refusal(gate, at(1.1 * MAX_AHEAD)) == "stamp in the future"
    assert refusal(gate, Time(sec=2**31 - 1)) == "stamp in the future"


def test_age_counts_only_where_it_is_limited(gate):
    assert refusal(gate, at(-500)) == ""
    assert refusal(StampGate("/image"), at(-0.3), max_age=0.2) == "too old"
    assert refusal(StampGate("/image"), at(-0.1), max_age=0.2) == ""


def test_stamps_that_are_none_are_refused(gate):
    assert refusal(gate, Time(sec=-1)) == "bad stamp"
    assert refusal(gate, Time(sec=1, nanosec=10**9)) == "bad stamp"


def test_simulated_time_must_have_begun(gate):
    assert refusal(gate, at(0), now=0) == "no clock"


def test_a_late_image_is_left_out_and_the_stream_goes_on(gate):
    stamps = [0.0, 0.033, 0.02, 0.066, 0.05, 0.1]
    assert [refusal(gate, at(s - 1)) for s in stamps] == [
        "", "", "out of order", "", "out of order", "",
    ]  # fmt: skip


def test_stamps_that_jitter_are_one_stream(gate):
    """Now and then two late ones follow each other; tracks must not begin anew for that."""
    rng = np.random.default_rng(3)
    others = 0
    for k in range(300):
        try:
            others += gate.admit(at(-60 + k / 30 + rng.normal(0, 0.03)), NOW, 0.0).is_other_stream
        except FrameRejectedError as rejection:
            assert rejection.reason == "out of order"
    assert others == 0


def test_a_recording_that_starts_again_passes_from_its_first_image(gate):
    for k in range(100):
        assert not gate.admit(at(-10 + k / 10), NOW, 0.0).is_other_stream
    assert gate.admit(at(-10), NOW, 0.0).is_other_stream
    assert refusal(gate, at(-9.9)) == ""


def test_a_clock_that_was_set_back_a_little_is_noticed_in_the_end(gate):
    assert refusal(gate, at(-1.0)) == ""
    stamps = [-1.4 + k / 1000 for k in range(LATE_RUN + 1)]
    assert [refusal(gate, at(s)) for s in stamps] == ["out of order"] * LATE_RUN + [""]


@given(st.lists(st.floats(-5.0, 0.5), min_size=1, max_size=60))
def test_never_many_refusals_in_a_row_for_order_alone(offsets):
    gate = StampGate("/image")
    refusals = [refusal(gate, at(s)) for s in offsets]
    assert set(refusals) <= {"", "out of order"}
    runs = [len(list(run)) for reason, run in itertools.groupby(refusals) if reason]
    assert max(runs, default=0) <= LATE_RUN


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.5, "0.5 seconds"),
        (119, "119.0 seconds"),
        (125, "2 minutes"),
        (7200, "2 hours"),
        (3 * 86400, "3 days"),
        (57 * 365.25 * 86400, "57 years"),
    ],
)
def test_durations_are_told_in_words(seconds, words):
    assert duration(seconds) == words


def remarks(stamp: Time, now: int = NOW) -> dict[str, str]:
    return dict(StampGate("/image").admit(stamp, now, 0.0).remarks)


def test_stamps_of_now_are_nothing_to_speak_of():
    assert remarks(at(-0.3)) == {}
    assert remarks(at(0.01)) == {}


def test_a_stamp_that_counts_from_the_machines_start_is_recognised():
    year_2026 = 1_795_000_000_000_000_000
    text = remarks(Time(sec=51_234), year_2026)["old stamps"]
    assert "57 years old" in text
    assert "14 hours after zero" in text
    assert "counts from when the machine was started" in text


@pytest.mark.parametrize(
    ("stamp", "subject", "words"),
    [
        (Time(), "old stamps", "the stamp is 0, so the driver does not stamp its images"),
        (at(-180), "old stamps", "3 minutes old; the driver's clock is behind"),
        (at(0.3), "stamps ahead", "300 ms ahead of the node's clock"),
    ],
)
def test_a_stamp_that_is_odd_is_told_with_its_age(stamp, subject, words):
    assert words in remarks(stamp)[subject]


def test_an_old_recording_is_no_machine_that_was_started_long_ago():
    year_2026 = 1_795_000_000_000_000_000
    text = remarks(Time(sec=1_305_000_000), year_2026)["old stamps"]  # of 2011
    assert "16 years old" in text
    assert "recording" in text


def test_an_old_stamp_says_nothing_about_latency():
    assert StampGate("/image").admit(at(-0.2), NOW, 0.0).age == pytest.approx(0.2)
    assert StampGate("/image").admit(at(-180), NOW, 0.0).age is None


@given(st.lists(st.floats(-5.0, 0.5), min_size=2, max_size=30))
def test_what_is_refused_is_a_little_older_than_the_newest(offsets):
    gate, newest = StampGate("/image"), None
    for s in offsets:
        if refusal(gate, at(s)):
            assert 0 < newest - s < LATE + 1e-6
        else:
            newest = s
