"""The fit finds a pose again that it has been shown, and bears noise and outliers."""

from __future__ import annotations

import numpy as np
import pytest

from hamer_ros.estimation.joint_limits import angle_range
from hamer_ros.estimation.kinematics import Pose
from hamer_ros.estimation.landmark_fit import Evidence, LandmarkFit
from hamer_ros.geometry.alignment import mpjpe, pa_mpjpe
from hamer_ros.geometry.rotations import exp_so3
from hamer_ros.hand_model.model import HandModel

FOCAL = 600.0


@pytest.fixture(scope="module")
def fit() -> LandmarkFit:
    return LandmarkFit(HandModel.default())


def natural_pose(rng: np.random.Generator) -> Pose:
    usual = angle_range()
    angles = np.clip(
        usual.mean + 0.7 * usual.spread * rng.normal(size=45), usual.lower, usual.upper
    )
    translation = np.array([0.02, 0.01, rng.uniform(0.35, 0.8)])
    return Pose(exp_so3(rng.normal(size=3)), translation, angles, 0.5 * rng.normal(size=10))


def show(
    fit: LandmarkFit, pose: Pose, rng: np.random.Generator, pixel: float, world: float
) -> tuple[np.ndarray, Evidence]:
    """The landmarks (21, 3) of a pose and noisy evidence of them."""
    x = fit.kinematics.pose(pose).landmarks
    pixels = FOCAL * x[:, :2] / x[:, 2:] + pixel * rng.normal(size=(21, 2))
    return x, Evidence(pixels, x - x.mean(0) + world * rng.normal(size=(21, 3)), FOCAL)


def test_a_cold_start_ends_where_a_start_from_the_truth_does(fit):
    rng = np.random.default_rng(1)
    as_good, errors = 0, []
    for _ in range(30):
        pose = natural_pose(rng)
        x, evidence = show(fit, pose, rng, 0.0, 0.0)
        cold = fit.fit(evidence, iterations=40)
        informed = fit.fit(evidence, start=pose, iterations=40)
        as_good += cold.cost < 1.02 * informed.cost
        errors.append(pa_mpjpe(cold.landmarks, x))
    assert as_good >= 29
    # What is left is the pull of the priors towards a usual pose.
    assert np.median(errors) < 4e-3
    assert max(errors) < 10e-3


def test_noisy_evidence_is_smoothed(fit):
    rng = np.random.default_rng(2)
    fitted, raw = [], []
    for _ in range(40):
        x, evidence = show(fit, natural_pose(rng), rng, 1.0, 0.010)
        fitted.append(pa_mpjpe(fit.fit(evidence).landmarks, x))
        raw.append(pa_mpjpe(evidence.world, x))
    assert np.mean(fitted) < 0.6 * np.mean(raw)


def test_two_wrong_landmarks_do_not_spoil_the_others(fit):
    rng = np.random.default_rng(3)
    clean, spoilt = [], []
    for _ in range(30):
        x, evidence = show(fit, natural_pose(rng), rng, 1.0, 0.005)
        wrong = rng.choice(21, 2, replace=False)
        right = [i for i in range(21) if i not in wrong]
        pixels = evidence.pixels.copy()
        pixels[wrong] += 80 * rng.choice([-1, 1], (2, 2))
        clean.append(mpjpe(_centred(fit.fit(evidence).landmarks[right]), _centred(x[right])))
        bad = fit.fit(Evidence(pixels, evidence.world, FOCAL))
        spoilt.append(mpjpe(_centred(bad.landmarks[right]), _centred(x[right])))
    assert np.median(spoilt) < 2 * np.median(clean)


def test_a_warm_start_ends_where_the_cold_one_does_in_fewer_steps(fit):
    rng = np.random.default_rng(4)
    cold_steps, warm_steps = 0, 0
    for _ in range(20):
        pose = natural_pose(rng)
        _, evidence = show(fit, pose, rng, 0.5, 0.003)
        cold = fit.fit(evidence)
        warm = fit.fit(evidence, start=cold.pose)
        assert warm.cost <= cold.cost * 1.01
        cold_steps += cold.iterations
        warm_steps += warm.iterations
    assert warm_steps < 0.8 * cold_steps


def test_the_hand_stays_in_front_of_the_camera(fit):
    rng = np.random.default_rng(5)
    for _ in range(20):
        evidence = Evidence(300 * rng.normal(size=(21, 2)), 0.1 * rng.normal(size=(21, 3)), FOCAL)
        result = fit.fit(evidence)
        assert np.isfinite(result.landmarks).all()
        assert np.isfinite(result.cost)


def _centred(points: np.ndarray) -> np.ndarray:
    return points - points.mean(0)
