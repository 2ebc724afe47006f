"""The filter is the published one, on numbers and on rotations."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from hamer_ros.geometry.rotations import exp_so3, log_so3
from hamer_ros.tracking.one_euro import alpha, gain, low_pass_rate

MIN_CUTOFF, BETA, D_CUTOFF = 0.7, 3.0, 1.3


class Published:
    """Algorithm 1 and 2 of Casiez et al., CHI 2012, line by line, for one number at one rate."""

    class LowPass:
        def __init__(self):
            self.hatxprev = None

        def filter(self, x, alpha):
            hatx = x if self.hatxprev is None else alpha * x + (1 - alpha) * self.hatxprev
            self.hatxprev = hatx
            return hatx

    def __init__(self, rate):
        self.rate = rate
        self.firsttime = True
        self.xfilt, self.dxfilt = self.LowPass(), self.LowPass()

    def alpha(self, cutoff):
        tau = 1.0 / (2 * math.pi * cutoff)
        te = 1.0 / self.rate
        return 1.0 / (1.0 + tau / te)

    def filter(self, x):
        if self.firsttime:
            self.firsttime = False
            dx = 0
        else:
            dx = (x - self.xfilt.hatxprev) * self.rate
        edx = self.dxfilt.filter(dx, self.alpha(D_CUTOFF))
        cutoff = MIN_CUTOFF + BETA * abs(edx)
        return self.xfilt.filter(x, self.alpha(cutoff))


def ours(samples: Sequence[float], dt: float) -> list[float]:
    value, rate = samples[0], 0.0
    out = [value]
    for x in samples[1:]:
        rate = low_pass_rate(rate, x - value, dt, D_CUTOFF)
        value += gain(abs(rate), dt, MIN_CUTOFF, BETA) * (x - value)
        out.append(value)
    return out


def signal(count: int = 200) -> np.ndarray:
    rng = np.random.default_rng(0)
    k = np.arange(count)
    return np.where(k < 60, 0.0, np.sin(0.1 * (k - 60))) + 0.01 * rng.normal(size=count)


@pytest.mark.parametrize("rate", [15.0, 30.0, 120.0])
def test_numbers_are_filtered_as_published(rate):
    published = Published(rate)
    expected = [published.filter(x) for x in signal()]
    np.testing.assert_allclose(ours(signal(), 1 / rate), expected, rtol=1e-12, atol=1e-15)


def test_rotations_about_one_axis_are_filtered_as_their_angle():
    axis = np.array([2.0, -1.0, 2.0]) / 3
    start = exp_so3(np.array([0.3, 0.7, -1.1]))
    rotation, rate = start, np.zeros(3)
    angles = []
    for angle in signal() - signal()[0]:
        difference = log_so3(exp_so3(angle * axis) @ start @ rotation.T)
        if angles:
            rate = low_pass_rate(rate, difference, 1 / 30, D_CUTOFF)
            share = gain(float(np.linalg.norm(rate)), 1 / 30, MIN_CUTOFF, BETA)
            rotation = exp_so3(share * difference) @ rotation
        angles.append(log_so3(rotation @ start.T) @ axis)
    np.testing.assert_allclose(angles, ours(signal() - signal()[0], 1 / 30), atol=1e-10)


def test_a_low_pass_trails_a_ramp_and_calms_noise_as_the_defaults_assume():
    share = alpha(0.4, 1 / 30)
    ramp = noise = 0.0
    calm = []
    rng = np.random.default_rng(0)
    for k in range(20000):
        ramp += share * (k - ramp)
        noise += share * (rng.normal() - noise)
        calm.append(noise)
    assert 19999 - ramp == pytest.approx((1 - share) / share)
    assert np.std(calm[500:]) == pytest.approx(math.sqrt(share / (2 - share)), rel=0.05)


def test_the_cutoff_is_where_an_analogue_low_pass_halves_the_power():
    """At a rate much higher than the cutoff."""
    cutoff, dt = 1.0, 1e-4
    t = dt * np.arange(int(8 / dt))
    value, out = 0.0, []
    for x in np.sin(2 * math.pi * cutoff * t):
        value += alpha(cutoff, dt) * (x - value)
        out.append(value)
    assert max(out[len(out) // 2 :]) == pytest.approx(math.sqrt(0.5), rel=1e-3)
