"""The figures of tracks, on made-up series whose answers are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.track_evaluation import (
    best_pairs,
    distances,
    fragmentations,
    frames_until,
    id_switches,
    jitter,
    lag,
    match_tracks,
    steady,
    velocities,
)

# Who is who


def test_a_distance_is_in_sizes_of_the_true_hand():
    truth = np.zeros((21, 2))
    truth[12] = [0, -80]
    below = truth + np.array([0, 40])
    np.testing.assert_allclose(distances([truth, below], [truth]), [[0], [0.5]])
    assert distances([], [truth]).shape == (0, 1)
    assert distances([truth], []).shape == (1, 0)


def test_pairs_are_as_many_as_can_be_and_then_the_cheapest():
    # The nearest pair alone would leave the other two without a partner.
    cost = np.array([[0.1, 0.2], [0.3, 9.0]])
    assert best_pairs(cost, 1.0) == [(0, 1), (1, 0)]
    assert best_pairs(cost, 0.15) == [(0, 0)]
    assert best_pairs(np.array([[0.3, 0.1, 0.2]]), 1.0) == [(0, 1)]
    assert best_pairs(np.array([[0.3], [0.1], [0.2]]), 1.0) == [(1, 0)]
    assert best_pairs(np.zeros((0, 2)), 1.0) == []
    assert best_pairs(np.zeros((2, 0)), 1.0) == []


def test_a_pair_stays_while_it_is_valid():
    """Two hands meet: for one frame each track is nearer to the other hand."""
    apart, met = np.array([[0.0, 9], [9, 0]]), np.array([[0.2, 0.1], [0.1, 0.2]])
    pairs = match_tracks([[5, 6]] * 3, [apart, met, apart], gate=0.4)
    assert pairs == [{0: 0, 1: 1}] * 3


def test_tracks_that_trade_places_are_matched_anew():
    apart = np.array([[0.0, 9], [9, 0]])
    pairs = match_tracks([[5, 6], [5, 6], [5, 7]], [apart, apart[::-1], apart], gate=0.4)
    assert pairs == [{0: 0, 1: 1}, {0: 1, 1: 0}, {0: 0, 1: 1}]
    numbers = [[[5, 6], [5, 6], [5, 7]][k][pairs[k][0]] for k in range(3)]
    assert numbers == [5, 6, 5]
    assert id_switches(numbers) == 2


@pytest.mark.parametrize(
    ("ids", "switches", "pieces"),
    [
        ([], 0, 0),
        ([None, None], 0, 0),
        ([None, 1, 1], 0, 0),
        ([1, 1, 2, 2], 1, 0),
        ([1, None, None, 1], 0, 1),
        ([1, None, 2, None, 2, 1], 2, 2),
        ([1, 1, None], 0, 0),
    ],
)
def test_switches_and_fragmentations_are_counted(ids, switches, pieces):
    assert id_switches(ids) == switches
    assert fragmentations(ids) == pieces


def test_the_way_back_is_counted_in_frames():
    assert frames_until([True, False, False, True], 1) == 2
    assert frames_until([True, False, True], 2) == 0
    assert frames_until([True, False, False], 1) == math.inf


# Jitter


def test_jitter_is_the_standard_deviation():
    noise = np.random.default_rng(0).normal(0.0, 0.003, (4000, 21, 3))
    places = np.random.default_rng(1).normal(size=(21, 3))
    assert jitter(places + noise) == pytest.approx(0.003, rel=0.01)
    assert jitter(np.broadcast_to(places, (10, 21, 3))) == pytest.approx(0.0, abs=1e-12)


# Lag


def triangle(frames, period=40):
    turns = np.asarray(frames) / period
    return 4.0 * np.abs(turns - np.floor(turns) - 0.5) - 1.0


@given(st.floats(0, 3), st.floats(-0.2, 0.2), st.floats(0.8, 1.2))
def test_a_late_series_is_late_by_that_much_whatever_its_offset_and_scale(delay, offset, scale):
    frames = np.arange(200)
    truth = triangle(frames)
    late = offset + scale * triangle(frames - delay)
    velocity = velocities(truth)
    kept = steady(velocity, 5)
    measured = lag(late[kept], truth[kept], velocity[kept])
    # A scale of the series is one of its delay too: s r(t - d) = s r - (s d) v.
    assert measured == pytest.approx(scale * delay, abs=1e-9)


def test_an_exponential_filter_is_late_by_its_time_constant():
    """y += a (x - y) follows a ramp (1 - a) / a frames behind."""
    a, frames = 0.4, np.arange(400)
    truth = triangle(frames, period=100)
    smooth = np.zeros_like(truth)
    smooth[0] = truth[0]
    for k in frames[1:]:
        smooth[k] = smooth[k - 1] + a * (truth[k] - smooth[k - 1])
    velocity = velocities(truth)
    kept = steady(velocity, 25)
    noise = np.random.default_rng(0).normal(0, 1e-3, truth.size)
    measured = lag((smooth + noise)[kept], truth[kept], velocity[kept])
    assert measured == pytest.approx((1 - a) / a, abs=0.02)


def test_a_lag_needs_motion_both_ways():
    one_way = np.arange(20.0)
    with pytest.raises(ValueError, match="to and fro"):
        lag(one_way, one_way, np.ones(20))
    with pytest.raises(ValueError, match="to and fro"):
        lag(np.zeros(0), np.zeros(0), np.zeros(0))


def test_instants_about_a_turn_are_left_out():
    velocity = np.array([1.0, 1, 1, 1, 1, -1, -1, -1, -1, 1])
    expected = [False, False, True, True, False, False, False, True, False, False]
    assert steady(velocity, 2).tolist() == expected
