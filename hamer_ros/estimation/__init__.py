"""Estimators of hands from detections, chosen by name."""

from __future__ import annotations

from collections.abc import Callable

from hamer_ros.errors import ConfigurationError
from hamer_ros.estimation.ensemble_estimator import EnsembleEstimator
from hamer_ros.estimation.estimator import Estimator
from hamer_ros.estimation.landmark_estimator import LandmarkEstimator
from hamer_ros.hamer.load_estimator import HamerOptions, load_hamer_estimator
from hamer_ros.hand_model.model import HandModel


def _landmarks(_: HamerOptions) -> Estimator:
    return LandmarkEstimator(HandModel.default())


def _ensemble(options: HamerOptions) -> Estimator:
    return EnsembleEstimator(load_hamer_estimator(options), _landmarks(options))


ESTIMATORS: dict[str, Callable[[HamerOptions], Estimator]] = {
    "landmarks": _landmarks,
    "hamer": load_hamer_estimator,
    "ensemble": _ensemble,
}
"""Name -> maker of the estimator."""

DEFAULT_OPTIONS = HamerOptions()


def make_estimator(name: str, options: HamerOptions = DEFAULT_OPTIONS) -> Estimator:
    """Make the estimator of that name.

    options: of ``hamer``; ``landmarks`` has none.

    Raises:
        ConfigurationError: no such estimator; the message lists those there are.
        And what its maker raises; that of ``hamer`` is `load_hamer_estimator`.
    """
    if name not in ESTIMATORS:
        raise ConfigurationError(f"estimator is '{name}'; known are: {', '.join(ESTIMATORS)}")
    return ESTIMATORS[name](options)
