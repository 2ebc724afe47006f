"""Hands -> placed hands: where a hand is, from where its joints appear in the image.

Given the joints X_i of a recovered hand (metres, wrist frame), their keypoints u_i (pixels) and the
camera's projection pi, the placement is the maximum of the posterior over the wrist's rotation
R = exp(w) R_0, its translation t and the logarithm of the hand's size s,

    E =   sum_i  c_i rho(|pi(e^s R X_i + t) - u_i|^2 / sigma^2)     reprojection
        + |w|^2 / sigma_R^2                                         the recoverer's own rotation
        + s^2 / sigma_s^2                                           how much hands differ in size

with a Student-t like rho.  Pixels alone cannot tell a small near hand from a large far one: s stays
at its prior, but its uncertainty enters the covariance, where it is the largest part of the depth's
(5.5 % of the distance unless something fixes the size).

The recoverer's pose, shape and left-right sense are left as they are, so an error after Procrustes
alignment is the same before and after.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hamer_ros.camera import CameraModel
from hamer_ros.hands import Hand, PlacedHand, ScaleSource
from hamer_ros.rotations import exp_so3, left_jacobian_so3, log_so3, skew

ROTATION_SIGMA = np.radians(5.0)
"""Standard deviation of a recoverer's rotation about each axis."""
SIZE_SIGMA = 0.055
"""Standard deviation of the length of adult hands, relative (Gordon et al., ANSUR II, 2014)."""
PIXEL_SIGMA = 0.01
"""Least standard deviation believed of a keypoint, as a share of the hand's size in the image."""
NEAREST = 0.05
"""Metres between the camera and the nearest joint that a placement may put there."""
ROBUST_SCALE = 2.5
"""Standard deviations beyond which a keypoint begins to count as an outlier."""
MIN_KEYPOINTS = 6


@dataclass(frozen=True)
class _State:
    rotation: np.ndarray
    translation: np.ndarray
    log_size: float

    def moved(self, step: np.ndarray) -> _State:
        return _State(
            exp_so3(step[:3]) @ self.rotation,
            self.translation + step[3:6],
            self.log_size + float(step[6]),
        )


def place(hand: Hand, camera: CameraModel) -> PlacedHand | None:
    """Solve for the wrist pose of one hand.

    Returns None where there is nothing to solve with: fewer than `MIN_KEYPOINTS` finite
    keypoints, or no solution in front of the camera.
    """
    problem = _Problem(hand, camera)
    if problem.usable < MIN_KEYPOINTS:
        return None
    state = problem.start()
    cost, hessian, gradient = problem.linearise(state)
    damping = 1e-4
    for _ in range(20):
        damped = hessian + damping * np.diag(np.diag(hessian))
        step = np.linalg.solve(damped, -gradient)
        trial = state.moved(step)
        after = problem.linearise(trial)
        if not after[0] <= cost:  # also true for a trial behind the camera, whose cost is NaN
            damping *= 10
            if damping > 1e6:
                break
            continue
        gain = cost - after[0]
        state, (cost, hessian, gradient) = trial, after
        damping = max(0.1 * damping, 1e-9)
        if gain < 1e-7 * (1 + cost):
            break
    if not np.isfinite(cost):
        return None
    rms, noise = problem.noise(state)
    covariance = problem.covariance(state, noise)
    return PlacedHand(
        hand=hand,
        rotation=state.rotation,
        translation=state.translation,
        covariance=covariance,
        scale=float(np.exp(state.log_size)),
        scale_source=ScaleSource.POPULATION_PRIOR,
        rms_px=rms,
    )


class _Problem:
    """The energy of one hand, its derivatives, and what follows from them."""

    def __init__(self, hand: Hand, camera: CameraModel) -> None:
        ok = np.isfinite(hand.keypoints).all(1) & (hand.keypoint_scores > 0)
        self.usable = int(ok.sum())
        self._camera = camera
        self._joints = hand.joints[ok]
        self._keypoints = hand.keypoints[ok]
        self._confidence = hand.keypoint_scores[ok]
        self._prior = hand.orientation
        if self.usable:
            size = max(float(np.ptp(self._keypoints, axis=0).max()), 1.0)
            self._sigma = PIXEL_SIGMA * size

    def start(self) -> _State:
        """Linear least squares for t with the recoverer's rotation: t x ray = -(R X) x ray."""
        rays = self._camera.unproject(self._keypoints)
        turned = self._joints @ self._prior.T
        crosses = skew(rays)
        a = crosses.reshape(-1, 3)
        b = -(crosses @ turned[:, :, None]).ravel()
        translation = np.linalg.lstsq(a, b, rcond=None)[0]
        lack = NEAREST - (turned[:, 2] + translation[2]).min()
        if lack > 0:
            translation = translation + lack * rays.mean(0) / rays.mean(0)[2]
        return _State(self._prior, translation, 0.0)

    def _reproject(self, state: _State) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Residuals (N, 2) in pixels, their slope (N, 2, 3) by the point, and R X e^s (N, 3)."""
        arm = np.exp(state.log_size) * self._joints @ state.rotation.T
        points = arm + state.translation
        pixels, slope = self._camera.project_with_jacobian(points)
        too_near = points[:, 2] < NEAREST
        pixels[too_near] = np.nan
        return pixels - self._keypoints, slope, arm

    def linearise(
        self, state: _State, noise: float | None = None
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """E, its Gauss-Newton Hessian (7, 7) and gradient (7,), both of E / 2."""
        sigma = self._sigma if noise is None else noise
        residual, slope, arm = self._reproject(state)
        q = (residual**2).sum(1) / (sigma * ROBUST_SCALE) ** 2
        weight = self._confidence / (1 + q)
        cost = ROBUST_SCALE**2 * float((self._confidence * np.log1p(q)).sum())
        # d point / d (w, t, s) = (-[R X]x, I, R X)
        point = np.concatenate(
            [-skew(arm), np.broadcast_to(np.eye(3), (len(arm), 3, 3)), arm[:, :, None]], axis=2
        )
        rows = (slope @ point).reshape(-1, 7) / sigma
        weights = np.repeat(weight, 2)
        hessian = rows.T @ (weights[:, None] * rows)
        gradient = rows.T @ (weights * residual.ravel() / sigma)
        turn = log_so3(state.rotation @ self._prior.T)
        back = np.linalg.inv(left_jacobian_so3(turn))
        hessian[:3, :3] += back.T @ back / ROTATION_SIGMA**2
        gradient[:3] += back.T @ turn / ROTATION_SIGMA**2
        hessian[6, 6] += 1 / SIZE_SIGMA**2
        gradient[6] += state.log_size / SIZE_SIGMA**2
        cost += float(turn @ turn) / ROTATION_SIGMA**2 + (state.log_size / SIZE_SIGMA) ** 2
        return cost, hessian, gradient

    def noise(self, state: _State) -> tuple[float, float]:
        """Rms distance of the keypoints (pixels), and the noise per coordinate behind it."""
        residual = self._reproject(state)[0]
        squared = (residual**2).sum(1)
        # The median of a Rayleigh distance is 1.1774 sigma; outliers do not move it.
        spread = float(np.sqrt(np.median(squared))) / 1.1774
        return float(np.sqrt(squared.mean())), max(spread, self._sigma)

    def covariance(self, state: _State, noise: float) -> np.ndarray:
        """(6, 6) of translation and rotation, the size marginalised, in ROS' order."""
        hessian = self.linearise(state, noise)[1]
        posterior = np.linalg.inv(hessian)
        order = [3, 4, 5, 0, 1, 2]
        covariance = posterior[np.ix_(order, order)]
        return 0.5 * (covariance + covariance.T)
