"""Solve for the poses that explain where the joints of hands were seen, a batch at a time.

Model
    A hand's joints X_i (metres, wrist frame) appear on the plane z = 1 of a virtual camera that
    looks straight at it (`hamer_ros.placement.views`):

        p_i = pi(R X_i + t) + e_i,   pi(x, y, z) = (x / z, y / z)

    e_i has two parts, the keypoint's own error and that of the joint, which the projection carries
    over: cov e_i = k (C_i + s_j^2 J_i J_i^T), J_i J_i^T = (I + p_i p_i^T) / z_i^2.  How noisy a
    hand really is, k, is estimated from its residuals and, where there is such a thing, from what
    is known beforehand; that some keypoints are plainly wrong is expected.

Prior
    R = exp(w) R_0, w ~ N(0, s_R^2 I), R_0 being the estimator's own rotation.  The size of the hand
    is not solved for here: growing hand and distance together changes no pixel, so that the
    answer is found up to scale first and scaled afterwards (`hamer_ros.placement.size`).

Estimator
    1. t by linear least squares with R_0, reweighted against outliers.
    2. Gauss-Newton on rotation and translation with Geman-McClure weights, whose scale follows the
       median of the residuals (it starts wide by itself, as long as the start is poor).
    3. Keypoints beyond `CUT` standard deviations are left out, and the rest is solved by least
       squares: as efficient as if nothing had been suspected (the reweighted least squares of
       Rousseeuw and Leroy, "Robust regression and outlier detection", 1987).

Covariance
    The inverse Gauss-Newton Hessian of step 3, for the noise found, grown so that its 95 %
    ellipsoid holds 95 % although k is itself an estimate from few residuals: with nu degrees of
    freedom the squared distance is 6 F(6, nu) instead of chi^2(6).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from hamer_ros.geometry.rotations import exp_so3

MAX_STEPS = 12
"""Robust steps, at most."""
FINAL_STEPS = 2
"""Steps of least squares."""
SETTLED = 1e-2
"""Radians or metres of a step after which least squares takes over."""
CUT = 4.5
"""Standard deviations beyond which a keypoint is left out; of good ones that is one in 25,000."""
WIDTH = 3.0
"""Standard deviations at which the weight of a keypoint has fallen to a quarter."""
LEAST_NOISE = 1.0 / 64.0
"""Least k that a covariance is published for."""
TRANSLATION_SIGMA = 30.0
"""Metres; standard deviation of a translation of which the keypoints say nothing."""
NEAREST = 0.05
"""Metres; no hand is placed nearer to the camera than this."""

MIN_KEYPOINTS = 6
"""Keypoints below which there is no pose: three fix one, and one that is wrong must show."""

_MEDIAN_CHI2_2 = 1.386294361119891
"""Median of chi^2 with two degrees of freedom, 2 log 2."""

_ROTATION = np.arange(3)


@dataclass(frozen=True)
class Problem:
    """B hands with M keypoints each, in their views.

    joints: (B, M, 3) metres, wrist frame; the joint that each keypoint shows.
    points: (B, M, 2) on the view's plane z = 1.
    noise: (B, M, 2, 2) C_i, covariance of the points as expected.
    confidence: (B, M) from 0 (missing) to 1; scales the information of a keypoint.
    rotation: (B, 3, 3) R_0, wrist -> view.
    rotation_sigma: s_R, radians.
    joint_sigma: s_j, metres.
    known_noise: (B,) residuals' worth of belief that k is 1, before any residual is seen.
    by_focal: (B, M, 2) derivative of the points by the logarithm of the camera's focal length.
    """

    joints: np.ndarray
    points: np.ndarray
    noise: np.ndarray
    confidence: np.ndarray
    rotation: np.ndarray
    rotation_sigma: float
    joint_sigma: float
    known_noise: np.ndarray
    by_focal: np.ndarray


class Status(enum.Enum):
    """The outcome of the solution of a hand; the value says it in words."""

    SOLVED = "solved"
    DIVERGED = "no solution"
    FEW_AGREE = f"fewer than {MIN_KEYPOINTS} keypoints agree"


@dataclass(frozen=True)
class Solution:
    """The solution for B hands, each in its view.

    rotation: (B, 3, 3) wrist -> view.
    translation: (B, 3) metres, the wrist joint.
    covariance: (B, 6, 6) of rotation (left perturbation, rad) and translation (m), in this order;
        without the uncertainty of the size.
    noise: (B,) k.
    inliers: (B, M) True for keypoints that were believed.
    by_focal: (B, 6) derivative of the pose, as in the covariance, by the logarithm of the camera's
        focal length.
    status: B of them; where one is not `Status.SOLVED`, the numbers of that hand mean nothing.
    """

    rotation: np.ndarray
    translation: np.ndarray
    covariance: np.ndarray
    noise: np.ndarray
    inliers: np.ndarray
    by_focal: np.ndarray
    status: tuple[Status, ...]


def solve(problem: Problem) -> Solution:
    """Solve all hands; `Solution.status` says which could be."""
    columns = _Columns(problem)
    rotation = problem.rotation
    translation = _linear_translation(problem)
    precision = columns.precision(columns.points, _mean_depth(problem, translation))
    count = np.maximum((problem.confidence > 0).sum(1), 4)
    noise = np.ones(len(translation))
    for step in range(MAX_STEPS):
        predicted = columns.project(rotation, translation, precision)
        # Six unknowns absorb part of the noise: hence M / (M - 3).
        spread = _median(predicted.distance2, problem.confidence) / _MEDIAN_CHI2_2
        noise = np.maximum(spread * count / (count - 3.0), 1e-12)
        weights = problem.confidence / (1 + predicted.distance2 / (WIDTH**2 * noise[:, None])) ** 2
        normal = _normal_equations(
            problem, predicted, weights / noise[:, None], precision, rotation
        )
        move = _limited(-np.linalg.solve(normal.hessian, normal.gradient)[..., 0], translation)
        rotation = exp_so3(move[:, :3]) @ rotation
        translation = translation + move[:, 3:]
        if step > 0 and np.abs(move).max() < SETTLED:
            break
    return _finish(problem, columns, rotation, translation, noise)


def _finish(
    problem: Problem,
    columns: _Columns,
    rotation: np.ndarray,
    translation: np.ndarray,
    noise: np.ndarray,
) -> Solution:
    """Solve by least squares over the keypoints that are believed."""
    predicted = columns.project(rotation, translation, None)
    precision = columns.precision(predicted.points, 1 / predicted.inverse_depth)
    unknowns = np.full(len(noise), 6.0)
    for step in range(FINAL_STEPS + 1):
        predicted = columns.project(rotation, translation, precision)
        believed = predicted.distance2 < CUT**2 * np.maximum(noise, 1e-9)[:, None]
        weights = np.where(believed, problem.confidence, 0.0)
        known = problem.known_noise
        freedom = np.maximum(2 * (weights > 0).sum(1) - unknowns, 1.0) + known
        noise = np.maximum(((weights * predicted.distance2).sum(1) + known) / freedom, 1e-9)
        if step == FINAL_STEPS:
            break
        normal = _normal_equations(
            problem, predicted, weights / noise[:, None], precision, rotation
        )
        posterior = np.linalg.inv(normal.hessian)
        move = _limited(-(posterior @ normal.gradient)[..., 0], translation)
        rotation = exp_so3(move[:, :3]) @ rotation
        translation = translation + move[:, 3:]
        # What the prior decides, the residuals need not pay for.
        turned = np.trace(posterior[:, :3, :3], axis1=1, axis2=2)
        unknowns = 6.0 - turned / problem.rotation_sigma**2
    noise = np.maximum(noise, LEAST_NOISE)
    # As of this pose: with another one's, a wrist error could take away more than there is.
    precision = columns.precision(predicted.points, 1 / predicted.inverse_depth)
    normal = _normal_equations(problem, predicted, weights / noise[:, None], precision, rotation)
    inverse = np.linalg.inv(normal.hessian)
    covariance = _with_wrist_error(problem, normal, noise, inverse)
    covariance *= _student_factor(freedom)[:, None, None]
    # Where the gradient stays 0 as the points move: H d pose = rows^T W d points.
    pull = (normal.weighted @ problem.by_focal.transpose(0, 2, 1)[..., None]).sum(1)
    by_focal = (inverse @ pull)[..., 0]
    inliers = weights > 0
    status = _status((rotation, translation, covariance), inliers)
    return Solution(rotation, translation, covariance, noise, inliers, by_focal, status)


def _status(numbers: tuple[np.ndarray, ...], inliers: np.ndarray) -> tuple[Status, ...]:
    finite = np.all([np.isfinite(n).reshape(len(n), -1).all(1) for n in numbers], axis=0)
    agree = inliers.sum(1) >= MIN_KEYPOINTS
    return tuple(
        Status.DIVERGED if not is_finite else Status.SOLVED if enough else Status.FEW_AGREE
        for is_finite, enough in zip(finite, agree, strict=True)
    )


@dataclass(frozen=True)
class _Prediction:
    """Keypoints as a pose predicts them; one row for each coordinate, one column a keypoint.

    offsets: (B, 3, M) R X, metres from the wrist.
    points: (B, 2, M) on the view's plane z = 1.
    inverse_depth: (B, M) per metre.
    error: (B, 2, M) predicted minus observed points.
    distance2: (B, M) squared error, in standard deviations.
    """

    offsets: np.ndarray
    points: np.ndarray
    inverse_depth: np.ndarray
    error: np.ndarray
    distance2: np.ndarray


class _Columns:
    """A problem with coordinates as rows, which numpy runs through fastest."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._joints = np.ascontiguousarray(problem.joints.transpose(0, 2, 1))
        self.points = np.ascontiguousarray(problem.points.transpose(0, 2, 1))

    def precision(self, points: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """The precision of the points, (B, 3, M): xx, xy and yy of (C_i + s_j^2 J_i J_i^T)^-1."""
        share = (self._problem.joint_sigma / depth) ** 2
        u, v = points[:, 0], points[:, 1]
        noise = self._problem.noise
        xx = noise[..., 0, 0] + share * (1 + u * u)
        xy = noise[..., 0, 1] + share * u * v
        yy = noise[..., 1, 1] + share * (1 + v * v)
        return np.stack([yy, -xy, xx], axis=1) / (xx * yy - xy * xy)[:, None]

    def project(
        self, rotation: np.ndarray, translation: np.ndarray, precision: np.ndarray | None
    ) -> _Prediction:
        """Predict the keypoints; without a precision their distances are of no use."""
        offsets = rotation @ self._joints
        joints = offsets + translation[:, :, None]
        inverse = 1 / np.maximum(joints[:, 2], 0.5 * NEAREST)
        points = joints[:, :2] * inverse[:, None]
        error = points - self.points
        du, dv = error[:, 0], error[:, 1]
        xx, xy, yy = (1.0, 0.0, 1.0) if precision is None else precision.transpose(1, 0, 2)
        distance2 = xx * du * du + 2 * xy * du * dv + yy * dv * dv
        return _Prediction(offsets, points, inverse, error, distance2)


@dataclass(frozen=True)
class _Normal:
    """The normal equations of Gauss-Newton by rotation and translation.

    hessian: (B, 6, 6) of half the energy.
    gradient: (B, 6, 1) of half the energy.
    rows: (B, 2, 6, M) d point / d (w, t).
    weighted: the same, times the precision.
    """

    hessian: np.ndarray
    gradient: np.ndarray
    rows: np.ndarray
    weighted: np.ndarray


def _normal_equations(
    problem: Problem,
    predicted: _Prediction,
    weights: np.ndarray,
    precision: np.ndarray,
    rotation: np.ndarray,
) -> _Normal:
    rows = _rows(predicted)
    xx, xy, yy = (weights[:, None] * precision).transpose(1, 0, 2)[:, :, None]
    weighted = np.empty_like(rows)
    weighted[:, 0] = xx * rows[:, 0] + xy * rows[:, 1]
    weighted[:, 1] = xy * rows[:, 0] + yy * rows[:, 1]
    across = rows.transpose(0, 1, 3, 2)
    hessian = (weighted @ across).sum(1)
    gradient = (weighted @ predicted.error[..., None]).sum(1)
    information = 1 / problem.rotation_sigma**2
    # The prior's own left Jacobian is left out: it is 1 up to the square of the turn.
    turn = _turn(rotation @ problem.rotation.transpose(0, 2, 1))
    hessian[:, _ROTATION, _ROTATION] += information
    gradient[:, :3, 0] += information * turn
    # Where nothing is believed, the hand stays where it is instead of dividing by nothing.
    hessian[:, 3 + _ROTATION, 3 + _ROTATION] += 1 / TRANSLATION_SIGMA**2
    return _Normal(hessian, gradient, rows, weighted)


def _rows(predicted: _Prediction) -> np.ndarray:
    """The derivative (B, 2, 6, M) of (x / z, y / z) for d(x, y, z) = w x offset + dt."""
    x, y, z = predicted.offsets.transpose(1, 0, 2)
    u, v = predicted.points.transpose(1, 0, 2)
    rows = np.zeros((len(x), 2, 6, x.shape[1]))
    rows[:, 0, 0], rows[:, 0, 1], rows[:, 0, 2] = -u * y, z + u * x, -y
    rows[:, 1, 0], rows[:, 1, 1], rows[:, 1, 2] = -z - v * y, v * x, x
    rows[:, 0, 3] = rows[:, 1, 4] = 1
    rows[:, 0, 5], rows[:, 1, 5] = -u, -v
    rows *= predicted.inverse_depth[:, None, None]
    return rows


def _turn(rotation: np.ndarray) -> np.ndarray:
    """The rotation vectors (B, 3) of moderate rotations, at a quarter of the cost of `log_so3`."""
    sine = 0.5 * (rotation - rotation.transpose(0, 2, 1))[:, [2, 0, 1], [1, 2, 0]]
    length = np.sqrt((sine**2).sum(1))
    angle = np.arctan2(length, 0.5 * (np.trace(rotation, axis1=1, axis2=2) - 1))
    return sine * (angle / np.maximum(length, 1e-12))[:, None]


def _with_wrist_error(
    problem: Problem, normal: _Normal, noise: np.ndarray, covariance: np.ndarray
) -> np.ndarray:
    """The covariance with the error d ~ N(0, k s_j^2 I) of the estimated wrist itself.

    The solution lies at t + d and, d having moved the wrist's keypoint as well, at -G d from there
    with G = cov A_0^T A_0 of the wrist's rows A_0: hence cov - k s_j^2 (G + G^T) + k s_j^2 I.
    """
    if problem.joint_sigma == 0.0:
        return covariance
    wrist = normal.weighted[..., 0].transpose(0, 2, 1) @ normal.rows[:, :, 3:, 0]
    gain = covariance @ wrist
    variance = (noise * problem.joint_sigma**2)[:, None, None]
    out = covariance.copy()
    out[:, :, 3:] -= variance * gain
    out[:, 3:, :] -= variance * gain.transpose(0, 2, 1)
    out[:, 3:, 3:] += variance * np.eye(3)
    return out


def _student_factor(freedom: np.ndarray) -> np.ndarray:
    """The factor 6 F_0.95(6, nu) / chi^2_0.95(6) for nu >= 6, fitted to exact values within 0.05 %.

    freedom: (B,) nu.
    """
    x = 1 / np.maximum(freedom, 6.0)
    return 1 / (1 - x * (4.2806 - x * (9.1087 - x * 10.746)))


def _linear_translation(problem: Problem) -> np.ndarray:
    """The translation t (B, 3) for R_0, by (R_0 X + t)_xy = p (R_0 X + t)_z, reweighted twice.

    Linear least squares is drawn towards the camera by noise, which does not matter for a start.
    """
    offsets = problem.joints @ problem.rotation.transpose(0, 2, 1)
    u, v = problem.points[..., 0], problem.points[..., 1]
    right = problem.points * offsets[..., 2:] - offsets[..., :2]
    weights = problem.confidence
    for _ in range(3):
        wu, wv = weights * u, weights * v
        a = np.zeros((len(u), 3, 3))
        a[:, 0, 0] = a[:, 1, 1] = weights.sum(1) + 1e-30
        a[:, 0, 2] = a[:, 2, 0] = -wu.sum(1)
        a[:, 1, 2] = a[:, 2, 1] = -wv.sum(1)
        # The last term keeps keypoints that all lie on one point from being a singular case.
        a[:, 2, 2] = (wu * u + wv * v).sum(1) + 1e-9 * a[:, 0, 0] + 1e-30
        b = np.stack(
            [
                (weights * right[..., 0]).sum(1),
                (weights * right[..., 1]).sum(1),
                -(wu * right[..., 0] + wv * right[..., 1]).sum(1),
            ],
            axis=1,
        )
        translation = np.linalg.solve(a, b[..., None])[..., 0]
        joints = offsets + translation[:, None]
        error2 = ((joints[..., :2] - problem.points * joints[..., 2:]) ** 2).sum(-1)
        scale2 = 4 * _median(error2, problem.confidence)[:, None] + 1e-18
        weights = problem.confidence / (1 + error2 / scale2) ** 2
    translation[:, 2] = np.maximum(translation[:, 2], NEAREST - offsets[..., 2].min(1))
    return translation


def _mean_depth(problem: Problem, translation: np.ndarray) -> np.ndarray:
    """The depth (B, 1) of the middle of the joints, metres."""
    offsets = problem.joints.mean(1)[:, None] @ problem.rotation.transpose(0, 2, 1)
    return np.maximum(offsets[..., 2] + translation[:, 2:], NEAREST)


def _limited(move: np.ndarray, translation: np.ndarray) -> np.ndarray:
    """Limit a step to a turn of 0.4 rad and to bringing the hand to half its distance."""
    angle = np.linalg.norm(move[:, :3], axis=1, keepdims=True)
    move[:, :3] *= np.minimum(1.0, 0.4 / np.maximum(angle, 1e-12))
    move[:, 5] = np.maximum(move[:, 5], -0.5 * np.maximum(translation[:, 2], NEAREST))
    return move


def _median(values: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """The medians (B,) of the values (B, M) that have a confidence."""
    ordered = np.sort(np.where(confidence > 0, values, np.inf), axis=1)
    count = np.maximum((confidence > 0).sum(1), 1)
    rows = np.arange(len(values))
    return 0.5 * (ordered[rows, (count - 1) // 2] + ordered[rows, count // 2])
