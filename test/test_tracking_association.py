"""The assignment is the best there is, and what it weighs is weighed as it should be."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from helpers import placed_at

from hamer_ros.hands import ScaleSource
from hamer_ros.tracking.association import (
    Expected,
    KnownSize,
    Measurement,
    assign,
    associate,
    measurement_noise,
)


@pytest.mark.parametrize("seed", range(30))
def test_the_assignment_costs_as_little_as_the_best_of_all(seed):
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(1, 6))
    columns = rows + int(rng.integers(0, 3))
    cost = rng.normal(size=(rows, columns))
    if seed % 2:  # whole numbers, so that there are ties
        cost = np.round(2 * cost)
    every = itertools.permutations(range(columns), rows)
    best = min(cost[np.arange(rows), list(chosen)].sum() for chosen in every)
    chosen = assign(cost)
    assert len(set(chosen)) == rows
    assert cost[np.arange(rows), chosen].sum() == pytest.approx(best)


SIZE = KnownSize(0.18, ScaleSource.POPULATION_PRIOR)


def track(x: float, right: float = 0.99, detection_id: int = 1, seen: bool = True) -> Expected:
    return Expected(np.array([x, 0, 0.5]), 1e-4 * np.eye(3), right, detection_id, seen, SIZE)


def measurement(x: float, right: float = 0.99, detection_id: int = 1) -> Measurement:
    return Measurement(np.array([x, 0, 0.5]), 1e-5 * np.eye(3), right, detection_id, SIZE)


def test_nothing_to_assign_is_no_trouble():
    assert associate([], [measurement(0)]) == [None]
    assert associate([track(0)], []) == []


def test_nearest_hands_go_to_their_tracks():
    tracks = [track(0.0, detection_id=1), track(0.1, detection_id=2)]
    hands = [
        measurement(0.105, detection_id=2),
        measurement(0.004, detection_id=1),
        measurement(-0.4, detection_id=3),
    ]
    assert associate(tracks, hands) == [1, 0, None]


def test_taking_the_nearest_first_would_be_wrong_here():
    tracks = [track(0.00, seen=False), track(0.05, seen=False)]
    hands = [measurement(0.03, detection_id=5), measurement(0.08, detection_id=6)]
    assert associate(tracks, hands) == [0, 1]


def test_place_outweighs_side_and_id():
    tracks = [track(0.0, 0.99, 1), track(0.1, 0.01, 2)]
    swapped = [measurement(0.0, 0.01, 2), measurement(0.1, 0.99, 1)]
    assert associate(tracks, swapped) == [0, 1]


def test_side_decides_where_place_does_not():
    tracks = [track(0.0, 0.99, 1, seen=False), track(0.005, 0.01, 2, seen=False)]
    assert associate(tracks, [measurement(0.002, 0.01, 3), measurement(0.003, 0.99, 4)]) == [1, 0]


def test_id_decides_where_nothing_else_does():
    tracks = [track(0.0, 0.5, 1), track(0.005, 0.5, 2)]
    assert associate(tracks, [measurement(0.002, 0.5, 2), measurement(0.003, 0.5, 1)]) == [1, 0]


def test_a_hidden_hand_is_found_again_under_its_own_id_rather_than_anothers():
    tracks = [track(0.0, 0.5, 1, seen=False), track(0.005, 0.5, 2, seen=False)]
    assert associate(tracks, [measurement(0.002, 0.5, 2), measurement(0.003, 0.5, 1)]) == [1, 0]
    assert associate(tracks, [measurement(0.002, 0.5, 7)]) == [0]


def test_the_side_of_a_known_id_is_no_second_evidence():
    """It is what the id was before the detector moved it to another hand."""
    tracks = [track(0.0, 0.99, 1), track(0.04, 0.01, 2)]
    swapped = [measurement(0.004, 0.01, 2), measurement(0.036, 0.99, 1)]
    assert associate(tracks, swapped) == [0, 1]


def test_a_hand_beyond_the_gate_is_a_new_one():
    sigma = np.sqrt(1e-4 + 1e-5 + (0.06 * 0.5) ** 2)
    assert associate([track(0.0)], [measurement(3.9 * sigma)]) == [0]
    assert associate([track(0.0)], [measurement(4.1 * sigma)]) == [None]


def test_the_unknown_size_of_a_hand_is_no_jitter():
    placed = placed_at((0.1, -0.05, 0.6))
    distance = np.linalg.norm(placed.translation)
    ray = placed.translation / distance
    placed.covariance[:3, :3] = 4e-6 * np.eye(3) + (0.055 * distance) ** 2 * np.outer(ray, ray)
    values, vectors = np.linalg.eigh(measurement_noise(placed))
    np.testing.assert_allclose(np.sqrt(values[:2]), 2e-3, rtol=2e-3)
    assert np.sqrt(values[2]) == pytest.approx(0.02 * distance, rel=1e-3)
    assert abs(vectors[:, 2] @ ray) == pytest.approx(1)
