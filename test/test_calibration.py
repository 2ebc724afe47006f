"""A user's hand is measured over some images, or it is said what they lacked."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from helpers import placed_at

from hamer_ros.hands import Handedness, PlacedHand, ScaleSource
from hamer_ros.placement.hand_length_measurement import (
    SAMPLES,
    Measurement,
    check_length,
)
from hamer_ros.placement.size import log_length


def measured(
    size: float, handedness: Handedness = Handedness.RIGHT, source=ScaleSource.DEPTH
) -> PlacedHand:
    """A placed hand that a depth image found to be larger than recovered."""
    placed = placed_at((0.0, 0.0, 0.5), handedness)
    return dataclasses.replace(placed, scale=size, scale_source=source)


def test_thirty_noisy_depth_images_are_enough():
    rng = np.random.default_rng(0)
    measurement = Measurement(Handedness.RIGHT, None)
    for k in range(SAMPLES):
        size = measurement.add([measured(1.08 * np.exp(0.02 * rng.normal()))])
        assert (size is not None) == (k == SAMPLES - 1)
    expected = 1.08 * np.exp(log_length(placed_at().hand.joints))
    assert size.length == pytest.approx(expected, rel=0.01)
    assert 0.004 < size.sigma < 0.02


def test_a_known_distance_serves_where_there_is_no_depth():
    measurement = Measurement(None, 0.6)
    for _ in range(SAMPLES):
        size = measurement.add([measured(1.0, source=ScaleSource.POPULATION_PRIOR)])
    recovered = np.exp(log_length(placed_at().hand.joints))
    assert size.length == pytest.approx(recovered * 0.6 / 0.5, rel=1e-6)
    assert size.sigma > 0.015  # nobody holds a hand at exactly 60 cm


def test_a_length_is_no_surer_than_the_focal_length():
    measurement = Measurement(None, 0.6)
    for _ in range(SAMPLES):
        size = measurement.add([measured(1.0)], focal_sigma=0.15)
    assert 0.15 < size.sigma < 0.16


def test_images_that_do_not_say_which_hand_or_how_far_are_not_used():
    measurement = Measurement(None, None)
    for _ in range(2 * SAMPLES):
        assert measurement.add([]) is None
        assert measurement.add([measured(1.0), measured(1.0, Handedness.LEFT)]) is None
        assert measurement.add([measured(1.0, source=ScaleSource.TRACK)]) is None


def test_the_other_hand_may_be_in_the_image():
    measurement = Measurement(Handedness.LEFT, None)
    for _ in range(SAMPLES):
        size = measurement.add([measured(1.0), measured(1.1, Handedness.LEFT)])
    expected = 1.1 * np.exp(log_length(placed_at(handedness=Handedness.LEFT).hand.joints))
    assert size.length == pytest.approx(expected)


@pytest.mark.parametrize(("length", "fits"), [(0.187, True), (0.05, False), (1.87, False)])
def test_a_length_in_other_units_is_noticed(length, fits):
    assert (check_length(length) is None) is fits


LEFT, RIGHT = measured(1.0, Handedness.LEFT), measured(1.0)
WITHOUT_DEPTH = measured(1.0, source=ScaleSource.TRACK)


@pytest.mark.parametrize(
    ("handedness", "hands", "words"),
    [
        (None, [], "no hand was seen (in 9 of 9 images)"),
        (
            None,
            [LEFT, RIGHT],
            "2 hands were in view: show exactly one, or say which handedness (in 9",
        ),
        (
            None,
            [RIGHT] * 3,
            "3 hands were in view: show exactly one, or say which handedness (in 9",
        ),
        (Handedness.RIGHT, [RIGHT] * 2, "2 right hands were in view: show exactly one (in 9"),
        (Handedness.LEFT, [RIGHT], "handedness is LEFT, but only a right hand was seen (in 9"),
        (Handedness.LEFT, [RIGHT] * 2, "handedness is LEFT, but only a right hand was seen (in 9"),
        (None, [WITHOUT_DEPTH], "a hand was seen, but the depth image did not tell its size"),
    ],
)
def test_what_most_images_lacked_is_said(handedness, hands, words):
    measurement = Measurement(handedness, None)
    for _ in range(9):
        assert measurement.add(hands) is None
    assert words in measurement.shortfall


def test_where_no_image_came_that_is_said():
    assert "no image was processed" in Measurement(None, 0.5).shortfall


def test_too_few_good_images_are_counted_beside_what_the_others_lacked():
    measurement = Measurement(None, None)
    for hands in ([RIGHT], [RIGHT], [], [], [], [LEFT, RIGHT]):
        measurement.add(hands)
    assert measurement.shortfall == (
        "2 images could be used, 30 are needed; no hand was seen (in 3 of 6 images)"
    )


def test_lengths_that_differ_wildly_are_no_hand_until_they_settle():
    rng = np.random.default_rng(0)
    measurement = Measurement(None, None)
    for _ in range(2 * SAMPLES):
        assert measurement.add([measured(np.exp(0.4 * rng.normal()))]) is None
    assert "the lengths of the last 30 images differ by" in measurement.shortfall
    sizes = [measurement.add([RIGHT]) for _ in range(SAMPLES)]
    assert sizes[-1].length == pytest.approx(np.exp(log_length(placed_at().hand.joints)))


def test_a_hand_that_is_not_finite_is_no_hand():
    measurement = Measurement(None, 0.5)
    broken = dataclasses.replace(RIGHT, translation=np.full(3, np.nan))
    assert measurement.add([broken]) is None
    assert "no hand was seen" in measurement.shortfall
