"""The errors that everything else is judged by."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamer_ros.evaluation import mpjpe, pa_mpjpe, procrustes
from hamer_ros.rotations import exp_so3

numbers = st.floats(-1, 1)


@given(st.tuples(numbers, numbers, numbers), st.floats(0.5, 2), st.integers(0, 1000))
def test_a_similarity_is_no_error_after_alignment(turn, scale, seed):
    truth = np.random.default_rng(seed).normal(size=(21, 3))
    moved = scale * truth @ exp_so3(np.array(turn)).T + [1, 2, 3]
    np.testing.assert_allclose(procrustes(moved, truth), truth, atol=1e-9)


def test_a_mirror_image_is_an_error():
    truth = np.random.default_rng(0).normal(size=(21, 3))
    assert pa_mpjpe(truth * [-1, 1, 1], truth) > 0.1


def test_the_mean_distance_is_the_mean_distance():
    estimate = np.array([[3, 4, 0], [0, 0, 0], [0, 0, 1], [0, 0, 0.0]])
    assert mpjpe(estimate, np.zeros((4, 3))) == pytest.approx(1.5)
