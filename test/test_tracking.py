"""Numbers stay with their hands."""

from __future__ import annotations

import numpy as np
from helpers import placed_at

from hamer_ros.hands import Side, TrackState
from hamer_ros.tracking import FORGET_AFTER, Tracker


def test_a_hand_that_moves_keeps_its_number():
    tracker = Tracker()
    first = tracker.update([placed_at((0, 0, 0.5))], 0.0)
    assert [h.state for h in first] == [TrackState.NEW]
    for k in range(1, 30):
        (hand,) = tracker.update([placed_at((0.01 * k, 0, 0.5), region=k)], k / 30)
        assert hand.track_id == first[0].track_id
        assert hand.state is TrackState.TRACKED


def test_left_and_right_at_one_place_are_two_hands():
    tracker = Tracker()
    left, right = placed_at(side=Side.LEFT, region=1), placed_at(side=Side.RIGHT, region=2)
    ids = {h.placed.hand.side: h.track_id for h in tracker.update([left, right], 0.0)}
    again = {h.placed.hand.side: h.track_id for h in tracker.update([right, left], 0.1)}
    assert ids == again
    assert len(set(ids.values())) == 2


def test_a_side_that_is_voted_over_keeps_the_number_of_its_region():
    tracker = Tracker()
    (before,) = tracker.update([placed_at(side=Side.LEFT, region=7)], 0.0)
    (after,) = tracker.update([placed_at(side=Side.RIGHT, region=7)], 0.1)
    assert before.track_id == after.track_id


def test_a_hand_is_remembered_for_a_while_and_then_forgotten():
    tracker = Tracker()
    (before,) = tracker.update([placed_at()], 0.0)
    tracker.update([], 0.1)
    (soon,) = tracker.update([placed_at(region=2)], 0.9 * FORGET_AFTER)
    assert soon.track_id == before.track_id
    (late,) = tracker.update([placed_at(region=3)], 3.0)
    assert late.track_id > before.track_id
    assert late.state is TrackState.NEW


def test_a_stamp_that_runs_backwards_starts_afresh():
    tracker = Tracker()
    (before,) = tracker.update([placed_at()], 100.0)
    (after,) = tracker.update([placed_at()], 1.0)
    assert after.track_id != before.track_id


def test_numbers_are_never_used_twice():
    tracker = Tracker()
    seen = set()
    for k in range(10):
        (hand,) = tracker.update([placed_at(region=k)], 10.0 * k)
        assert hand.track_id not in seen
        seen.add(hand.track_id)
    assert np.array(sorted(seen)).min() == 1
