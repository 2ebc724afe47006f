"""The motion of a wrist: a Kalman filter whose velocity decays.

Model
    The velocity of a hand is an Ornstein-Uhlenbeck process in each axis: it forgets itself with
    the time constant tau and has standard deviation s at any time (in radar, Singer's model taken
    one derivative lower).  After dt, with e = exp(-dt / tau):

        p' = p + tau (1 - e) v + w_p
        v' = e v + w_v

        var w_p      = s^2 tau^2 (2 dt/tau - 3 + 4 e - e^2)
        cov w_p, w_v = s^2 tau (1 - e)^2
        var w_v      = s^2 (1 - e^2)

    These are exact for every dt, so nothing depends on the frame rate, and a prediction over a
    second is as honest as one over a frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

VELOCITY_SIGMA = 0.4
"""Metres per second along each axis; reaching hands peak at 1 m/s and rest in between."""
VELOCITY_TIME = 0.3
"""Seconds in which a hand forgets its velocity; a reach lasts half a second to a second."""
FREEDOM = 4.0
"""nu: degrees of freedom of a measurement's noise; few, so that bad ones are expected."""
TURN_SIGMA = 1.5
"""Standard deviation of the angular velocity about each axis, radians per second."""
MOST_TURN = math.pi**2 / 3
"""Variance (rad^2) of an angle of which nothing is known."""


@dataclass(frozen=True)
class Motion:
    """The belief about a wrist at a stamp.

    position, velocity: (3,) metres and metres per second in the camera frame.
    pp, pv, vv: (3, 3) blocks of their covariance.
    """

    stamp: float
    position: np.ndarray
    velocity: np.ndarray
    pp: np.ndarray
    pv: np.ndarray
    vv: np.ndarray


def begin(stamp: float, position: np.ndarray, noise: np.ndarray) -> Motion:
    """The belief after a wrist's first measurement.

    position: (3,) metres.
    noise: (3, 3) covariance of the position.
    """
    zero = np.zeros((3, 3))
    return Motion(stamp, position, np.zeros(3), noise, zero, VELOCITY_SIGMA**2 * np.eye(3))


def predict(motion: Motion, stamp: float) -> Motion:
    """The belief at a later stamp; an earlier one changes nothing."""
    dt = stamp - motion.stamp
    if dt <= 0:
        return motion
    theta = dt / VELOCITY_TIME
    u = -math.expm1(-theta)  # 1 - e
    reach, keep = VELOCITY_TIME * u, 1 - u
    variance = VELOCITY_SIGMA**2
    eye = np.eye(3)
    return Motion(
        stamp,
        motion.position + reach * motion.velocity,
        keep * motion.velocity,
        motion.pp
        + reach * (motion.pv + motion.pv.T)
        + reach**2 * motion.vv
        + variance * VELOCITY_TIME**2 * _wander(theta, u) * eye,
        keep * (motion.pv + reach * motion.vv) + variance * VELOCITY_TIME * u * u * eye,
        keep * keep * motion.vv + variance * u * (2 - u) * eye,
    )


def scaled(motion: Motion, factor: float) -> Motion:
    """The belief when the hand turns out to be so many times as long, and as far away."""
    if factor == 1.0:
        return motion
    square = factor * factor
    return Motion(
        motion.stamp,
        factor * motion.position,
        factor * motion.velocity,
        square * motion.pp,
        square * motion.pv,
        square * motion.vv,
    )


def update(motion: Motion, position: np.ndarray, noise: np.ndarray) -> Motion:
    """The belief after a measurement of the wrist at its stamp: Kalman's update.

    A hand that disappears is placed badly in the last images that show a part of it, and must not
    take the velocity along.  So the noise is that of a Student-t distribution with nu degrees of
    freedom: N grows by (nu + d^2) / (nu + 3) where the squared Mahalanobis distance d^2 is more
    than the 3 that are expected (Roth, Ozkan and Gustafsson, ICASSP 2013).

    position: (3,) metres.
    noise: (3, 3) covariance of the position.
    """
    innovation = position - motion.position
    inverse = np.linalg.inv(motion.pp + noise)
    surprise = float(innovation @ inverse @ innovation)
    if surprise > 3:
        noise = noise * ((FREEDOM + surprise) / (FREEDOM + 3))
        inverse = np.linalg.inv(motion.pp + noise)
    gain_p, gain_v = motion.pp @ inverse, motion.pv.T @ inverse
    pp = motion.pp - gain_p @ motion.pp
    vv = motion.vv - gain_v @ motion.pv
    return Motion(
        motion.stamp,
        motion.position + gain_p @ innovation,
        motion.velocity + gain_v @ innovation,
        0.5 * (pp + pp.T),
        motion.pv - gain_p @ motion.pv,
        0.5 * (vv + vv.T),
    )


def turned(dt: float) -> float:
    """The variance (rad^2) about each axis of the rotation that an unseen hand has made in dt.

    Its angular velocity is such a process too, of which nothing is known at the beginning.
    """
    theta = max(dt, 0.0) / VELOCITY_TIME
    spread = 2 * (TURN_SIGMA * VELOCITY_TIME) ** 2 * (theta + math.expm1(-theta))
    return min(spread, MOST_TURN)


def _wander(theta: float, u: float) -> float:
    """The value of 2 theta - 3 + 4 e - e^2 with u = 1 - e, by series where the terms cancel."""
    if theta < 1e-2:
        return theta**3 * (2 / 3 - theta / 2 + 7 / 30 * theta**2)
    return 2 * (theta - u) - u * u
