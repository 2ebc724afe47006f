"""Parameters -> the detector and the recoverer that they ask for."""

from __future__ import annotations

from hamer_ros.detection import Detector, DetectorOptions, make_detector
from hamer_ros.errors import ConfigurationError
from hamer_ros.hamer.loading import HamerOptions
from hamer_ros.nets.device import Device
from hamer_ros.recovery import Recoverer, make_recoverer
from hamer_ros.ros.parameters import Parameters


def make_stages(parameters: Parameters) -> tuple[Detector, Recoverer]:
    """Load what finds hands and what recovers them.

    Raises:
        ConfigurationError: the two do not go together.
        And what `make_detector` and `make_recoverer` raise.
    """
    if parameters.estimator == "landmarks" and parameters.detector != "landmarks":
        raise ConfigurationError(
            f"detector is '{parameters.detector}', which finds boxes; estimator landmarks "
            "needs detector landmarks"
        )
    options = DetectorOptions(
        max_hands=parameters.max_hands,
        static=parameters.photographs,
        search_period=parameters.search_period,
        min_presence=parameters.min_presence,
        model=parameters.detector_model,
        classes=tuple(parameters.detector_classes.replace(",", " ").split()),
        min_score=parameters.min_score,
        vitpose=parameters.vitpose or parameters.checkpoint,
    )
    hamer = HamerOptions(
        checkpoint=parameters.checkpoint,
        mano=parameters.mano,
        backend=parameters.backend,
        precision=parameters.precision,
        device=parameters.device,
    )
    providers = Device.parse(parameters.device).providers
    detector = make_detector(parameters.detector, options, providers)
    return detector, make_recoverer(parameters.estimator, hamer)
