"""Numbers and stamps of messages tell what was lost, and that two nodes send."""

from __future__ import annotations

import pytest

from hamer_ros.ros.input.arrivals import Arrivals

PERIOD = 1 / 30


def arrive(arrivals: Arrivals, numbers: list[int | None], begin: float = 0.0) -> float:
    """Messages at 30 Hz; a number is also the place of its stamp.  The time of the last one."""
    now = begin
    for k, number in enumerate(numbers):
        now = begin + k * PERIOD
        arrivals.add(number, int(1e9 * now), now)
    return now


def test_numbers_in_a_row_are_well():
    arrivals = Arrivals()
    now = arrive(arrivals, list(range(100, 250)))
    assert arrivals.lost(now) is None
    assert not arrivals.is_mixed


def test_numbers_left_out_are_messages_lost():
    arrivals = Arrivals()
    now = arrive(arrivals, list(range(0, 450, 10)))
    lost, sent = arrivals.lost(now)
    assert lost == 9 * 44
    assert sent == lost + 45


def test_what_was_lost_long_ago_counts_no_more():
    arrivals = Arrivals()
    now = arrive(arrivals, list(range(0, 450, 10)))
    now = arrive(arrivals, list(range(450, 650)), now + PERIOD)
    assert arrivals.lost(now) is None


def test_a_few_losses_are_nothing_to_speak_of():
    arrivals = Arrivals()
    now = arrive(arrivals, [n for n in range(150) if n % 10])
    assert arrivals.lost(now) is None


def test_without_numbers_stamps_tell_of_losses():
    arrivals = Arrivals()
    now = 0.0
    for k in range(150):
        now = k * PERIOD
        if k % 3 == 0 or k % 15 == 1:
            arrivals.add(None, int(1e9 * now), now)
    lost, sent = arrivals.lost(now)
    assert sent == 148  # from the first to the last that came, 145, and what followed
    assert lost == sent - 60


def test_two_rows_of_numbers_are_two_publishers():
    arrivals = Arrivals()
    arrive(arrivals, [n for k in range(20) for n in (k + 1, k + 500)])
    assert arrivals.is_mixed


def test_two_publishers_that_began_together_are_told_apart():
    arrivals = Arrivals()
    arrive(arrivals, [n for k in range(20) for n in (k + 1, k + 1)])
    assert arrivals.is_mixed


@pytest.mark.parametrize("first", [50, 300, 5000])
def test_a_second_publisher_that_has_sent_for_long_loses_nothing(first):
    arrivals = Arrivals()
    now = arrive(arrivals, [n for k in range(40) for n in (k + 1, k + first)])
    assert arrivals.lost(now) is None
    assert arrivals.is_mixed


def test_a_pause_is_no_loss():
    arrivals = Arrivals()
    now = arrive(arrivals, list(range(60)))
    arrivals.pause()
    now = arrive(arrivals, list(range(90, 150)), now + 1.0)
    assert arrivals.lost(now) is None


def test_a_camera_that_was_started_again_is_one_publisher():
    arrivals = Arrivals()
    now = arrive(arrivals, list(range(100, 130)))
    arrive(arrivals, list(range(1, 30)), now + PERIOD)
    assert not arrivals.is_mixed
