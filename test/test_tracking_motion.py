"""The motion model is the process that it claims to be, and its predictions are as good as said."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hamer_ros.tracking import motion
from hamer_ros.tracking.motion import TURN_SIGMA, VELOCITY_SIGMA, VELOCITY_TIME, Motion

CHI2_95 = 7.815
"""95 % of chi^2 with 3 degrees of freedom."""


def simulated(count: int, steps: int, dt: float, sigma: float, rng: np.random.Generator):
    """Positions and velocities (steps + 1, count, 3) of hands whose velocity decays.

    Euler-Maruyama in steps of 0.5 ms: independent of the closed forms.
    """
    small = 5e-4
    velocity = sigma * rng.normal(size=(count, 3))
    position = np.zeros((count, 3))
    out = [(position.copy(), velocity.copy())]
    for _ in range(steps):
        for _ in range(round(dt / small)):
            position = position + small * velocity
            push = sigma * math.sqrt(2 * small / VELOCITY_TIME) * rng.normal(size=(count, 3))
            velocity = velocity * (1 - small / VELOCITY_TIME) + push
        out.append((position.copy(), velocity.copy()))
    return np.array([p for p, _ in out]), np.array([v for _, v in out])


def known(position: np.ndarray, velocity: np.ndarray) -> Motion:
    zero = np.zeros((3, 3))
    return Motion(0.0, position, velocity, zero, zero, zero)


@pytest.mark.parametrize("dt", [0.03, 0.3, 1.0])
def test_a_prediction_has_the_moments_of_the_simulated_process(dt):
    rng = np.random.default_rng(0)
    count = 20000
    positions, velocities = simulated(count, 1, dt, VELOCITY_SIGMA, rng)
    reach = VELOCITY_TIME * (1 - math.exp(-dt / VELOCITY_TIME))
    keep = math.exp(-dt / VELOCITY_TIME)
    off = (positions[1] - reach * velocities[0]).ravel()
    change = (velocities[1] - keep * velocities[0]).ravel()
    predicted = motion.predict(known(np.zeros(3), np.ones(3)), dt)
    np.testing.assert_allclose(predicted.position, reach)
    np.testing.assert_allclose(predicted.velocity, keep)
    assert predicted.pp[0, 0] == pytest.approx(off.var(), rel=0.04)
    assert predicted.vv[0, 0] == pytest.approx(change.var(), rel=0.04)
    assert predicted.pv[0, 0] == pytest.approx((off * change).mean(), rel=0.06)


@pytest.mark.parametrize("dt", [1e-6, 1e-3, 2.9e-3, 3.1e-3, 0.1, 3.0])
def test_predicting_twice_is_predicting_once(dt):
    start = motion.begin(0.0, np.array([0.1, 0, 0.5]), 1e-4 * np.eye(3))
    once = motion.predict(start, dt)
    twice = motion.predict(motion.predict(start, 0.4 * dt), dt)
    for name in ("position", "velocity", "pp", "pv", "vv"):
        np.testing.assert_allclose(getattr(once, name), getattr(twice, name), rtol=1e-6, atol=1e-18)


def test_the_velocity_forgets_itself_to_its_usual_spread():
    late = motion.predict(known(np.zeros(3), np.full(3, 2.0)), 100.0)
    np.testing.assert_allclose(late.velocity, 0, atol=1e-12)
    np.testing.assert_allclose(late.vv, VELOCITY_SIGMA**2 * np.eye(3))


def test_time_that_stands_still_changes_nothing():
    start = motion.begin(1.0, np.array([0.1, 0, 0.5]), 1e-4 * np.eye(3))
    assert motion.predict(start, 1.0) is start
    assert motion.predict(start, 0.5) is start


def test_an_update_is_the_product_of_two_gaussians():
    belief = motion.predict(motion.begin(0.0, np.zeros(3), 4e-4 * np.eye(3)), 0.1)
    noise = np.diag([1e-4, 2e-4, 3e-4])
    seen = np.array([0.02, -0.01, 0.03])
    after = motion.update(belief, seen, noise)
    full = np.block([[belief.pp, belief.pv], [belief.pv.T, belief.vv]])
    # In the form of information, which shares no line with the gain.
    information = np.linalg.inv(full)
    information[:3, :3] += np.linalg.inv(noise)
    posterior = np.linalg.inv(information)
    mean = posterior @ np.concatenate([np.linalg.solve(noise, seen), np.zeros(3)])
    np.testing.assert_allclose(after.pp, posterior[:3, :3], rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(after.pv, posterior[:3, 3:], rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(after.vv, posterior[3:, 3:], rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(np.concatenate([after.position, after.velocity]), mean, rtol=1e-9)


def test_one_bad_measurement_hardly_changes_the_velocity():
    noise = np.diag([1e-5, 1e-5, 1e-4])
    start = motion.begin(0.0, np.zeros(3), noise)
    for k in range(1, 20):
        start = motion.update(motion.predict(start, k / 30), np.array([0.01 * k, 0, 0]), noise)
    last = motion.predict(start, 20 / 30)
    good = motion.update(last, np.array([0.2, 0, 0]), noise)
    bad = motion.update(last, np.array([0.2, 0, 0.1]), noise)
    assert good.velocity[0] == pytest.approx(0.3, rel=0.1)
    # A Gaussian believes it in proportion, however far away it is.
    gaussian = last.pv.T @ np.linalg.inv(last.pp + noise) @ np.array([0, 0, 0.1])
    assert 0 < bad.velocity[2] < 0.5 * gaussian[2]


@pytest.mark.parametrize("hidden", [1, 10, 30])
def test_ellipsoids_of_hidden_hands_hold_nineteen_in_twenty(hidden):
    """Over two standard errors of 600 hands: 93 to 97 %."""
    rng = np.random.default_rng(hidden)
    count, seen, dt, sigma = 600, 20, 1 / 30, 0.004
    positions, _ = simulated(count, seen + hidden, dt, VELOCITY_SIGMA, rng)
    noise = sigma**2 * np.eye(3)
    inside = 0
    for hand in positions.transpose(1, 0, 2):
        measurements = hand[: seen + 1] + sigma * rng.normal(size=(seen + 1, 3))
        belief = motion.begin(0.0, measurements[0], noise)
        for k in range(1, seen + 1):
            belief = motion.update(motion.predict(belief, k * dt), measurements[k], noise)
        belief = motion.predict(belief, (seen + hidden) * dt)
        off = hand[-1] - belief.position
        inside += off @ np.linalg.solve(belief.pp, off) < CHI2_95
    assert 0.93 < inside / count < 0.97


@pytest.mark.parametrize("dt", [0.05, 0.3])
def test_an_unseen_hand_turns_as_much_as_the_simulated_process(dt):
    rng = np.random.default_rng(1)
    angles, _ = simulated(20000, 1, dt, TURN_SIGMA, rng)
    assert motion.turned(dt) == pytest.approx(angles[1].var(), rel=0.04)


def test_no_rotation_is_more_unknown_than_any():
    assert motion.turned(0.0) == 0.0
    assert motion.turned(1e9) == pytest.approx(math.pi**2 / 3)
