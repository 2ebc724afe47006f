"""Stamps that an image may have, and those that it may not."""

from __future__ import annotations

import itertools

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from builtin_interfaces.msg import Time
from hypothesis import given
from hypothesis import strategies as st

from hamer_ros.ros.rejection import FrameRejectedError
from hamer_ros.ros.stamps import MAX_AHEAD, REORDERED, StampGate

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


def test_a_recording_that_starts_again_passes_from_its_first_image(gate):
    for k in range(100):
        assert not gate.admit(at(-10 + k / 10), NOW, 0.0)
    assert gate.admit(at(-10), NOW, 0.0)
    assert refusal(gate, at(-9.9)) == ""


def test_a_very_short_recording_that_starts_again_loses_one_image(gate):
    loop = [0.0, 0.1, 0.2, 0.3]
    refusals = [refusal(gate, at(s - 1)) for _ in range(5) for s in loop]
    assert refusals == [""] * 4 + (["out of order"] + [""] * 3) * 4


@given(st.lists(st.floats(-5.0, 0.5), min_size=1, max_size=30))
def test_never_two_refusals_in_a_row_for_order_alone(offsets):
    gate = StampGate("/image")
    refusals = [refusal(gate, at(s)) for s in offsets]
    assert set(refusals) <= {"", "out of order"}
    assert ("out of order", "out of order") not in itertools.pairwise(refusals)


@given(st.lists(st.floats(-5.0, 0.5), min_size=2, max_size=30))
def test_what_is_refused_is_a_little_older_than_what_passed_last(offsets):
    gate, last = StampGate("/image"), None
    for s in offsets:
        if refusal(gate, at(s)):
            assert 0 < last - s < REORDERED + 1e-6
        else:
            last = s
