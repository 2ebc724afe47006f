"""Matrices of 2 x 2 in closed form, against LAPACK."""

from __future__ import annotations

import numpy as np

from hamer_ros.geometry.small_matrices import inverse_gram, solve

RNG = np.random.default_rng(0)
MATRICES = RNG.normal(size=(5, 7, 2, 2))


def test_the_solution_is_lapacks():
    vectors = RNG.normal(size=(5, 7, 2))
    expected = np.linalg.solve(MATRICES, vectors[..., None])[..., 0]
    np.testing.assert_allclose(solve(MATRICES, vectors), expected, rtol=1e-9)


def test_a_singular_matrix_has_no_finite_solution():
    with np.errstate(all="ignore"):
        assert not np.isfinite(solve(np.ones((2, 2)), np.array([1.0, 2.0]))).any()


def test_the_inverse_gram_is_the_covariance_of_what_is_solved():
    expected = np.linalg.inv(MATRICES.swapaxes(-1, -2) @ MATRICES)
    np.testing.assert_allclose(inverse_gram(MATRICES), expected, rtol=1e-6)
