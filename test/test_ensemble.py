"""Two estimators together are better than either alone."""

from __future__ import annotations

import dataclasses

import numpy as np
from helpers import CAMERA, MODEL, detection, hand_at

from hamer_ros.estimation.ensemble_estimator import EnsembleEstimator, averaged
from hamer_ros.geometry.alignment import pa_mpjpe
from hamer_ros.geometry.rotations import exp_so3
from hamer_ros.hands import Frame

TRUTH = hand_at(np.eye(3), np.array([0, 0, 0.5]))
FRAME = Frame(np.zeros((480, 640, 3), np.uint8), 0.0, CAMERA)


def noisy(rng: np.random.Generator):
    joints = TRUTH.joints + 0.006 * rng.normal(size=(21, 3))
    return dataclasses.replace(TRUTH, joints=joints - joints[0])


class Fake:
    """Recovers what it is told to, for the detections that it likes."""

    model, engine = MODEL, "fake"

    def __init__(self, name, hand, liked) -> None:
        self.name, self.hand, self.liked, self.resets = name, hand, liked, 0

    def estimate(self, frame, detections):
        return [
            dataclasses.replace(self.hand, detection=d)
            for d in detections
            if d.detection_id in self.liked
        ]

    def reset(self) -> None:
        self.resets += 1


def test_independent_errors_cancel_in_part():
    rng = np.random.default_rng(0)
    alone, together = [], []
    for _ in range(50):
        first, second = noisy(rng), noisy(rng)
        # The second sees the hand turned, and of another size.
        turned = 1.2 * second.joints @ exp_so3(rng.normal(size=3)).T
        mean = averaged(first, dataclasses.replace(second, joints=turned))
        alone.append(pa_mpjpe(first.joints, TRUTH.joints))
        together.append(pa_mpjpe(mean.joints, TRUTH.joints))
    assert np.mean(together) < 0.8 * np.mean(alone)  # 1 / sqrt(2) in theory


def test_the_wrist_stays_the_origin_and_the_surface_goes_along():
    rng = np.random.default_rng(1)
    first = noisy(rng)
    mean = averaged(first, noisy(rng))
    np.testing.assert_array_equal(mean.joints[0], 0)
    shift = mean.vertices - first.vertices
    np.testing.assert_allclose(shift - shift[0], 0, atol=1e-15)
    assert np.linalg.norm(shift[0]) < 0.01


def test_a_hand_that_one_method_misses_is_not_lost():
    rng = np.random.default_rng(2)
    first, second = Fake("a", noisy(rng), {1, 2}), Fake("b", noisy(rng), {2, 3})
    ensemble = EnsembleEstimator(first, second)
    hands = ensemble.estimate(FRAME, [detection(detection_id=r) for r in (1, 2, 3)])
    assert [hand.detection.detection_id for hand in hands] == [1, 2]
    np.testing.assert_array_equal(hands[0].joints, first.hand.joints)
    assert np.abs(hands[1].joints - first.hand.joints).max() > 1e-4
    assert ensemble.engine == "a (fake) and b (fake)"
    ensemble.reset()
    assert (first.resets, second.resets) == (1, 1)
