"""Rotations: closed forms, finite differences, and the places where naive formulas fail."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamer_ros.geometry import rotations as rot

coordinate = st.floats(-1.0, 1.0, allow_nan=False)
vector = st.tuples(coordinate, coordinate, coordinate).map(np.array)


@st.composite
def rotation_vectors(draw, largest=np.pi):
    """Vectors with angles on all scales from 1e-12 to ``largest``, and zero."""
    axis = draw(vector.filter(lambda v: np.linalg.norm(v) > 1e-3))
    exponent = draw(st.floats(-12.0, 0.0))
    angle = draw(st.sampled_from([0.0, largest, largest * 10.0**exponent]))
    return angle * axis / np.linalg.norm(axis)


def matrix_series(w, terms=60):
    """exp of [w]x by its defining power series: slow, and right for moderate angles."""
    K = np.array([[0, -w[2], w[1]], [w[2], 0, -w[0]], [-w[1], w[0], 0]])
    total, power = np.eye(3), np.eye(3)
    for k in range(1, terms):
        power = power @ K / k
        total = total + power
    return total


def is_rotation(R):
    return np.allclose(R @ R.T, np.eye(3), atol=1e-12) and np.linalg.det(R) > 0.0


@given(vector, vector)
def test_skew_is_the_cross_product(a, b):
    np.testing.assert_allclose(rot.skew(a) @ b, np.cross(a, b), atol=1e-15)


@given(rotation_vectors())
def test_the_exponential_is_the_matrix_exponential(w):
    np.testing.assert_allclose(rot.exp_so3(w), matrix_series(w), atol=1e-13)
    assert is_rotation(rot.exp_so3(w))


def test_a_quarter_turn_about_z_takes_x_to_y():
    R = rot.exp_so3(np.array([0.0, 0.0, np.pi / 2.0]))
    np.testing.assert_allclose(R @ [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], atol=1e-15)


@given(rotation_vectors())
def test_the_logarithm_undoes_the_exponential(w):
    back = rot.log_so3(rot.exp_so3(w))
    # Half a turn either way is the same rotation.
    error = min(
        np.linalg.norm(back - w),
        np.linalg.norm(back + w) + 1e3 * (np.pi - 1e-9 > np.linalg.norm(w)),
    )
    assert error < 1e-9


@given(rotation_vectors(largest=6.0), vector)
def test_the_left_jacobian_is_the_derivative(w, direction):
    step = 1e-6
    up, down = rot.exp_so3(w + step * direction), rot.exp_so3(w - step * direction)
    derivative = (up - down) / (2.0 * step) @ rot.exp_so3(w).T
    expected = rot.skew(rot.left_jacobian_so3(w) @ direction)
    np.testing.assert_allclose(derivative, expected, atol=1e-8)


def test_the_series_of_the_jacobian_meets_its_closed_form():
    axis = np.array([2.0, -1.0, 2.0]) / 3.0
    below, above = (rot.left_jacobian_so3(angle * axis) for angle in (0.1 - 1e-12, 0.1 + 1e-12))
    np.testing.assert_allclose(below, above, atol=1e-12)


@given(rotation_vectors())
def test_quaternions_and_matrices_agree_in_every_branch(w):
    R = rot.exp_so3(w)
    q = rot.quaternion_from_matrix(R)
    assert abs(np.linalg.norm(q) - 1.0) < 1e-12
    assert q[3] >= 0.0
    np.testing.assert_allclose(rot.matrix_from_quaternion(-3.0 * q), R, atol=1e-12)


def test_quaternions_of_known_rotations():
    half_turns = np.stack([np.diag(d) for d in ([1, -1, -1], [-1, 1, -1], [-1, -1, 1])])
    np.testing.assert_array_equal(np.abs(rot.quaternion_from_matrix(half_turns)), np.eye(3, 4))
    np.testing.assert_array_equal(rot.quaternion_from_matrix(np.eye(3)), [0.0, 0.0, 0.0, 1.0])
    about_z = rot.exp_so3(np.array([0.0, 0.0, 1.0]))
    expected = [0.0, 0.0, np.sin(0.5), np.cos(0.5)]
    np.testing.assert_allclose(rot.quaternion_from_matrix(about_z), expected, atol=1e-15)


def test_a_zero_quaternion_is_refused():
    with pytest.raises(ValueError, match="length zero"):
        rot.matrix_from_quaternion(np.zeros(4))


@given(vector, vector)
def test_the_rotation_between_directions_is_the_least_one(a, b):
    if min(np.linalg.norm(a), np.linalg.norm(b)) < 1e-6:
        return
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    R = rot.rotation_between(a, b)
    assert is_rotation(R)
    np.testing.assert_allclose(R @ a, b, atol=1e-12)
    between = np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)
    assert abs(np.linalg.norm(rot.log_so3(R)) - between) < 1e-7


@given(vector, st.floats(-18.0, -3.0))
def test_the_rotation_between_opposite_directions_exists(a, exponent):
    if np.linalg.norm(a) < 1e-6:
        return
    a = a / np.linalg.norm(a)
    b = -a + 10.0**exponent * np.array([0.3, -0.5, 0.8])
    b = b / np.linalg.norm(b)
    R = rot.rotation_between(a, b)
    assert is_rotation(R)
    np.testing.assert_allclose(R @ a, b, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_lengths_do_not_matter_to_the_rotation_between(scale):
    R = rot.rotation_between(scale * np.array([1.0, 0.0, 0.0]), scale * np.array([0.0, 1.0, 0.0]))
    np.testing.assert_allclose(R, rot.exp_so3(np.array([0.0, 0.0, np.pi / 2.0])), atol=1e-15)


def test_a_zero_vector_has_no_direction():
    with pytest.raises(ValueError, match="length zero"):
        rot.rotation_between(np.zeros(3), np.array([1.0, 0.0, 0.0]))


@given(rotation_vectors(), vector)
def test_the_mirrored_rotation_turns_mirrored_points(w, point):
    R, S = rot.exp_so3(w), rot.MIRROR
    mirrored = rot.mirror_rotation(R)
    assert is_rotation(mirrored)
    np.testing.assert_allclose(mirrored @ (S @ point), S @ (R @ point), atol=1e-12)
    np.testing.assert_allclose(rot.exp_so3(rot.mirror_rotation_vector(w)), mirrored, atol=1e-12)


def test_mirrored_points_are_those_of_the_reflection():
    points = np.random.default_rng(0).normal(size=(4, 5, 3))
    np.testing.assert_array_equal(rot.mirror_points(points), points @ rot.MIRROR)
    np.testing.assert_array_equal(rot.mirror_points(np.array([[3.0, 4.0]])), [[-3.0, 4.0]])


def test_everything_takes_batches():
    w = np.random.default_rng(0).normal(size=(4, 5, 3))
    R = rot.exp_so3(w)
    assert R.shape == rot.left_jacobian_so3(w).shape == (4, 5, 3, 3)
    np.testing.assert_allclose(rot.exp_so3(rot.log_so3(R)), R, atol=1e-12)
    np.testing.assert_allclose(
        rot.matrix_from_quaternion(rot.quaternion_from_matrix(R)), R, atol=1e-12
    )
    np.testing.assert_allclose(R[2, 3], rot.exp_so3(w[2, 3]), atol=1e-15)
