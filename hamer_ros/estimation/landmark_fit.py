"""Fit the hand model to 21 landmarks: Levenberg-Marquardt with a graduated robust loss.

The hand is seen from a virtual pinhole camera that looks straight at it
(`CameraModel.view_towards`), so that neither the lens nor the distance from the image's centre
enters the fit.  In that view the evidence is u_i, the landmarks in pixels about the view's centre,
and W_i, the landmark model's own 3-D estimate in metres.  With x_i the model's landmarks, the fit
minimises over the wrist's rotation and translation, 45 joint angles theta and 10 shape
coefficients beta

    E =       sum_i v_i rho_2(|f x_i,xy / x_i,z - u_i|^2 / s_px^2)     reprojection
      + w_3 * sum_i v_i rho_3(|(x_i - m(x)) - (W_i - m(W))|^2 / s_w^2)  the model's 3-D estimate
      + sum_k ((theta_k - mean_k) / spread_k)^2                        usual poses
      + sum_k (overshoot of theta_k / 0.06)^2                          possible poses
      + w_b * |beta|^2                                                 usual hands

with v_i from 0 to 1 the share to which landmark i is seen, m the mean under these weights, and
rho_k(q) = k c^2 log(1 + q / (k c^2)), a Student-t like loss in k dimensions (Barron, CVPR
2019).  The fit starts with a wide c and ends with a narrow one (graduated non-convexity; Blake and
Zisserman 1987): from a cold start a narrow loss alone locks on to a wrong finger.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from hamer_ros.estimation.joint_limits import angle_range
from hamer_ros.estimation.kinematics import N_ANGLES, N_UNKNOWNS, Kinematics, Pose, Posed
from hamer_ros.geometry.alignment import kabsch
from hamer_ros.hand_model.model import HandModel

PIXEL_SIGMA = 0.02
"""Standard deviation of a landmark in the image, as a share of the hand's size there."""
WORLD_SIGMA = 0.010
"""Standard deviation of the model's 3-D landmarks, metres."""
WORLD_WEIGHT = 0.1
"""w_3: the model's 3-D points err together, finger by finger, so that 21 of them weigh like two."""
LIMIT_SIGMA = 0.06
"""Standard deviation of a joint angle beyond its limit, radians."""
BETA_WEIGHT = 0.5
"""w_b: inverse variance of a shape coefficient."""
WIDE, NARROW = 6.0, 1.5
"""Scale c of the robust loss at the beginning and at the end, in standard deviations."""
NEAREST = 0.03
"""Metres; least distance of a landmark, which keeps the model in front of the camera."""

_PALM = [0, 5, 9, 13, 17]
_FINGER_LANDMARKS = {
    mcp: [0, *range(root, root + 4)] for mcp, root in ((1, 5), (4, 9), (10, 13), (7, 17))
}
"""The wrist and the four landmarks of each finger, by the finger's first skeleton joint."""


@dataclass(frozen=True)
class Evidence:
    """The evidence for a right hand in a view (a left one is mirrored before).

    pixels: (21, 2) about the view's centre.
    world: (21, 3) metres, view axes.
    focal: pixels.
    seen: (21,) v_i, from 0, where a landmark lies outside of the image, to 1; not all 0.
    """

    pixels: np.ndarray
    world: np.ndarray
    focal: float
    seen: np.ndarray = field(default_factory=lambda: np.ones(21))

    @property
    def size(self) -> float:
        """The longer side of the landmarks' box, pixels."""
        return max(float(np.ptp(self.pixels, axis=0).max()), 8.0)

    def mean(self, values: np.ndarray) -> np.ndarray:
        """The mean over the landmarks, along the first axis, as far as they are seen."""
        return np.tensordot(self.seen, values, 1) / self.seen.sum()


@dataclass(frozen=True)
class Fit:
    """The result of a fit.

    landmarks: (21, 3) metres, in the view.
    cost: E.
    reprojection_rms: root mean square distance of the landmarks from the evidence, pixels.
    """

    pose: Pose
    landmarks: np.ndarray
    cost: float
    reprojection_rms: float
    iterations: int


@dataclass(frozen=True)
class _Residuals:
    cost: float
    pixel: np.ndarray
    world: np.ndarray
    angle: np.ndarray
    overshoot: np.ndarray
    pixel_weight: np.ndarray
    world_weight: np.ndarray


class LandmarkFit:
    """Fits one hand model to landmarks; keeps nothing from one fit to the next."""

    def __init__(self, model: HandModel) -> None:
        self.kinematics = Kinematics(model)
        self._range = angle_range()

    def fit(self, evidence: Evidence, start: Pose | None = None, iterations: int = 20) -> Fit:
        """Fit the pose that explains the evidence best.

        start: where the fit begins; None begins from a guess.
        iterations: at most.
        """
        evidence = self._rescaled(evidence)
        pose = self._first_guess(evidence) if start is None else start
        width = WIDE
        posed = self.kinematics.pose(pose)
        now = self._residuals(evidence, pose, posed, width)
        damping = 1e-3
        gain = np.inf
        done = 0
        for done in range(1, iterations + 1):
            # Narrow the loss after four wide steps at the latest, or once they gain nothing.
            if width == WIDE and (done > 4 or gain < 0.02 * (1 + now.cost)):
                width = NARROW
                now = self._residuals(evidence, pose, posed, width)
            hessian, gradient = self._normal_equations(evidence, pose, posed, now)
            step = None
            for _ in range(5):
                damped = hessian + np.diag(damping * (np.diag(hessian) + 1e-6))
                trial = pose.moved(np.linalg.solve(damped, -gradient))
                trial_posed = self.kinematics.pose(trial)
                after = self._residuals(evidence, trial, trial_posed, width)
                if after.cost < now.cost:
                    step = trial, trial_posed, after
                    damping = max(0.3 * damping, 1e-6)
                    break
                damping *= 6
            if step is None:
                if width == NARROW:
                    break
                gain = 0.0
                continue
            gain = now.cost - step[2].cost
            pose, posed, now = step
            if width == NARROW and gain < 1e-4 * (1 + now.cost):
                break
        scale = PIXEL_SIGMA * evidence.size
        rms = float(np.sqrt(evidence.mean((now.pixel**2).sum(1)))) * scale
        return Fit(pose, posed.landmarks, now.cost, rms, done)

    def _rescaled(self, evidence: Evidence) -> Evidence:
        """Bring the landmarks' metres to the size of the hand model's palm: they are a guess."""
        palm = _spread(self.kinematics.rest_landmarks[_PALM])
        scale = np.clip(palm / max(_spread(evidence.world[_PALM]), 1e-6), 0.7, 1.4)
        world = scale * (evidence.world - evidence.mean(evidence.world))
        return replace(evidence, world=world)

    def _first_guess(self, evidence: Evidence) -> Pose:
        """The palm turned onto the model's palm, fingers bent by the angles that it shows."""
        rest, world = self.kinematics.rest_landmarks, evidence.world
        orientation = kabsch(rest[_PALM], world[_PALM])
        angles = self._range.mean.copy()
        for mcp, chain in _FINGER_LANDMARKS.items():
            palm = orientation @ self.kinematics.axes[mcp - 1][:, 1]
            for k in range(3):
                bone = world[chain[k + 1]] - world[chain[k]]
                following = world[chain[k + 2]] - world[chain[k + 1]]
                bend = _angle_between(bone, following)
                if k == 0 and palm @ following < 0:  # only a knuckle bends backwards
                    bend = -bend
                index = 3 * (mcp - 1 + k)
                angles[index] = np.clip(bend, self._range.lower[index], self._range.upper[index])
        betas = np.zeros(10)
        centred = self.kinematics.pose(Pose(orientation, np.zeros(3), angles, betas)).landmarks
        plane = evidence.pixels / evidence.focal
        translation = _translation(world, plane, evidence.seen) - evidence.mean(centred)
        translation[2] = max(translation[2], 0.08 - centred[:, 2].min())
        return Pose(orientation, translation, angles, betas)

    def _residuals(self, evidence: Evidence, pose: Pose, posed: Posed, width: float) -> _Residuals:
        x = posed.landmarks
        z = np.maximum(x[:, 2], NEAREST)
        pixel = (evidence.focal * x[:, :2] / z[:, None] - evidence.pixels) / (
            PIXEL_SIGMA * evidence.size
        )
        world = ((x - evidence.mean(x)) - evidence.world) / WORLD_SIGMA
        limits = self._range
        angle = (pose.angles - limits.mean) / limits.spread
        overshoot = (pose.angles - np.clip(pose.angles, limits.lower, limits.upper)) / LIMIT_SIGMA
        q2 = (pixel**2).sum(1) / (2 * width**2)
        q3 = (world**2).sum(1) / (3 * width**2)
        seen = evidence.seen
        cost = width**2 * (2 * seen @ np.log1p(q2) + WORLD_WEIGHT * 3 * seen @ np.log1p(q3))
        cost += (angle**2).sum() + (overshoot**2).sum()
        cost += BETA_WEIGHT * (pose.betas**2).sum()
        return _Residuals(
            float(cost),
            pixel,
            world,
            angle,
            overshoot,
            seen / (1 + q2),
            WORLD_WEIGHT * seen / (1 + q3),
        )

    def _normal_equations(
        self, evidence: Evidence, pose: Pose, posed: Posed, now: _Residuals
    ) -> tuple[np.ndarray, np.ndarray]:
        """The Gauss-Newton Hessian (61, 61) and gradient (61,) of E / 2, weights held fixed."""
        dx = self.kinematics.jacobian(posed)
        x = posed.landmarks
        z = np.maximum(x[:, 2], NEAREST)
        projection = np.zeros((21, 2, 3))
        projection[:, 0, 0] = projection[:, 1, 1] = evidence.focal / z
        projection[:, :, 2] = -evidence.focal * x[:, :2] / z[:, None] ** 2
        pixel_rows = projection @ dx / (PIXEL_SIGMA * evidence.size)
        world_rows = (dx - evidence.mean(dx)) / WORLD_SIGMA
        rows, values = [], []
        for slope, residual, weight in (
            (pixel_rows, now.pixel, now.pixel_weight),
            (world_rows, now.world, now.world_weight),
        ):
            root = np.sqrt(weight)
            rows.append((slope * root[:, None, None]).reshape(-1, N_UNKNOWNS))
            values.append((residual * root[:, None]).ravel())
        a, r = np.concatenate(rows), np.concatenate(values)
        hessian, gradient = a.T @ a, a.T @ r
        spread = self._range.spread
        angles = np.arange(6, 6 + N_ANGLES)
        hessian[angles, angles] += 1 / spread**2
        hessian[angles, angles] += (now.overshoot != 0) / LIMIT_SIGMA**2
        gradient[angles] += now.angle / spread + now.overshoot / LIMIT_SIGMA
        betas = np.arange(6 + N_ANGLES, N_UNKNOWNS)
        hessian[betas, betas] += BETA_WEIGHT
        gradient[betas] += BETA_WEIGHT * pose.betas
        return hessian, gradient


def _spread(points: np.ndarray) -> float:
    return float(np.linalg.norm(points - points.mean(0)))


def _angle_between(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b))


def _translation(points: np.ndarray, plane: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """The translation t (3,) for which (X + t)_xy / (X + t)_z = plane, by linear least squares.

    points: (N, 3) X, metres.
    plane: (N, 2).
    seen: (N,) weights.
    """
    n = len(points)
    a, b = np.zeros((2 * n, 3)), np.zeros(2 * n)
    for k in range(2):
        a[k::2, k], a[k::2, 2] = seen, -seen * plane[:, k]
        b[k::2] = seen * (plane[:, k] * points[:, 2] - points[:, k])
    t = np.linalg.lstsq(a, b, rcond=None)[0]
    t[2] = np.clip(t[2], 0.08, 5.0)
    return t
