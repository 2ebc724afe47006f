"""The detector and the estimator that the node's parameters ask for."""

from __future__ import annotations

from typing import NamedTuple

from hamer_ros.detection import Detector, make_detector
from hamer_ros.errors import ConfigurationError
from hamer_ros.estimation import Estimator, make_estimator
from hamer_ros.ros.parameters.table import Parameters


class Models(NamedTuple):
    """The detector and the estimator of a pipeline."""

    detector: Detector
    estimator: Estimator


def make_models(parameters: Parameters) -> Models:
    """Load the detector and the estimator.

    Raises:
        ConfigurationError: the two do not go together; and what `make_detector` and
            `make_estimator` raise.
    """
    if parameters.estimator == "landmarks" and parameters.detector != "landmarks":
        raise ConfigurationError(
            f"detector is '{parameters.detector}', which finds boxes; estimator landmarks "
            "needs detector landmarks"
        )
    return Models(
        make_detector(parameters.detector, parameters.detection, parameters.device),
        make_estimator(parameters.estimator, parameters.hamer),
    )
