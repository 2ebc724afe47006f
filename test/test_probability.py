"""Probabilities and log odds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamer_ros.geometry.probability import logit, sigmoid


@given(st.floats(0.001, 0.999))
def test_the_sigmoid_undoes_the_logit(p):
    assert sigmoid(logit(p, margin=1e-6)) == pytest.approx(p)


def test_odds_of_three_to_one():
    assert logit(0.75, margin=0.01) == pytest.approx(np.log(3))
    np.testing.assert_allclose(sigmoid(np.log([3.0, 1.0, 1 / 3])), [0.75, 0.5, 0.25])


@pytest.mark.parametrize(("p", "odds"), [(0.0, 1 / 99), (1.0, 99.0), (-1.0, 1 / 99), (0.995, 99.0)])
def test_no_probability_is_nearer_to_certainty_than_the_margin(p, odds):
    assert logit(p, margin=0.01) == pytest.approx(np.log(odds))
