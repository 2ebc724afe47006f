"""The errors that everything else is judged by."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamer_ros.geometry.alignment import kabsch, mpjpe, pa_mpjpe, procrustes, similarity
from hamer_ros.geometry.rotations import exp_so3

numbers = st.floats(-1, 1)


@given(st.tuples(numbers, numbers, numbers), st.floats(0.5, 2), st.integers(0, 1000))
def test_a_similarity_is_no_error_after_alignment(turn, scale, seed):
    truth = np.random.default_rng(seed).normal(size=(21, 3))
    moved = scale * truth @ exp_so3(np.array(turn)).T + [1, 2, 3]
    np.testing.assert_allclose(procrustes(moved, truth), truth, atol=1e-9)


@given(st.tuples(numbers, numbers, numbers), st.integers(0, 1000))
def test_the_rotation_of_a_moved_point_set_is_found(turn, seed):
    points = np.random.default_rng(seed).normal(size=(5, 3))
    rotation = exp_so3(np.array(turn))
    moved = points @ rotation.T + [1, 2, 3]
    np.testing.assert_allclose(kabsch(points, moved), rotation, atol=1e-9)


def test_no_alignment_reflects():
    points = np.random.default_rng(0).normal(size=(5, 3))
    mirrored = points * [-1, 1, 1]
    for rotation in (kabsch(points, mirrored), similarity(points, mirrored)[1]):
        np.testing.assert_allclose(np.linalg.det(rotation), 1.0)


def test_a_mirror_image_is_an_error():
    truth = np.random.default_rng(0).normal(size=(21, 3))
    assert pa_mpjpe(truth * [-1, 1, 1], truth) > 0.1


def test_the_mean_distance_is_the_mean_distance():
    estimate = np.array([[3, 4, 0], [0, 0, 0], [0, 0, 1], [0, 0, 0.0]])
    assert mpjpe(estimate, np.zeros((4, 3))) == pytest.approx(1.5)
