"""A user's hand is measured once, kept, and known from then on."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from helpers import placed_at

from hamer_ros.hands import PlacedHand, ScaleSource, Side
from hamer_ros.placement.calibration import (
    SAMPLES,
    Measurement,
    check_length,
    load_sizes,
    save_sizes,
)
from hamer_ros.placement.size import given, log_length


def measured(size: float, side: Side = Side.RIGHT, source=ScaleSource.DEPTH) -> PlacedHand:
    """A placed hand that a depth image found to be larger than recovered."""
    placed = placed_at((0.0, 0.0, 0.5), side)
    return dataclasses.replace(placed, scale=size, scale_source=source)


def test_thirty_noisy_depth_images_are_enough():
    rng = np.random.default_rng(0)
    measurement = Measurement(Side.RIGHT, None)
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


def test_images_that_do_not_say_which_hand_or_how_far_are_not_used():
    measurement = Measurement(None, None)
    for _ in range(2 * SAMPLES):
        assert measurement.add([]) is None
        assert measurement.add([measured(1.0), measured(1.0, Side.LEFT)]) is None
        assert measurement.add([measured(1.0, source=ScaleSource.TRACK)]) is None


def test_the_other_hand_may_be_in_the_image():
    measurement = Measurement(Side.LEFT, None)
    for _ in range(SAMPLES):
        size = measurement.add([measured(1.0), measured(1.1, Side.LEFT)])
    expected = 1.1 * np.exp(log_length(placed_at(side=Side.LEFT).hand.joints))
    assert size.length == pytest.approx(expected)


def test_what_was_learnt_is_kept_by_person_and_side(tmp_path):
    path = tmp_path / "folder" / "hands.yaml"
    assert load_sizes(path, "ann") == {}
    save_sizes(path, "ann", {Side.LEFT: given(0.17, 0.01)})
    save_sizes(path, "bob", dict.fromkeys(Side, given(0.20, 0.02)))
    save_sizes(path, "ann", {Side.RIGHT: given(0.171, 0.005)})
    ann = load_sizes(path, "ann")
    assert ann[Side.LEFT].length == pytest.approx(0.17, abs=1e-4)
    assert ann[Side.RIGHT].sigma == pytest.approx(0.005)
    assert set(load_sizes(path, "bob")) == set(Side)
    assert load_sizes(path, "eve") == {}


@pytest.mark.parametrize("content", ["ann: 3", "ann: {left: {length: x}}", "[", "ann: {up: {}}"])
def test_a_file_of_another_kind_is_named(tmp_path, content):
    path = tmp_path / "hands.yaml"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"hands.yaml cannot be read"):
        load_sizes(path, "ann")


@pytest.mark.parametrize("content", ["ann: 3", "[", "3"])
def test_a_file_of_another_kind_is_not_overwritten(tmp_path, content):
    path = tmp_path / "hands.yaml"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"hands.yaml cannot be read"):
        save_sizes(path, "bob", {Side.LEFT: given(0.17, 0.01)})
    assert path.read_text() == content


@pytest.mark.parametrize(("length", "fits"), [(0.187, True), (0.05, False), (1.87, False)])
def test_a_length_in_other_units_is_noticed(length, fits):
    assert (check_length(length) is None) is fits
