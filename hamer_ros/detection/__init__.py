"""Detectors of hands in images, chosen by name.

A detector is whatever has the two methods of `Detector`; `DETECTORS` names those that exist.
"""

from __future__ import annotations

from collections.abc import Callable

from hamer_ros.detection.detector import DEFAULT_OPTIONS, Detector, DetectorOptions
from hamer_ros.detection.external import ExternalDetector
from hamer_ros.detection.landmark_detector import LandmarkDetector
from hamer_ros.detection.onnx_detector import OnnxDetector
from hamer_ros.errors import ConfigurationError, MissingFileError
from hamer_ros.inference.device import CPU, Device

DetectorFactory = Callable[[DetectorOptions, Device, int], Detector]


def _vitpose(options: DetectorOptions, device: Device, threads: int) -> Detector:
    try:
        import torch  # noqa: F401, PLC0415 - an optional package
    except ImportError as error:
        raise MissingFileError("the detector 'vitpose' needs torch: pip install torch") from error
    from hamer_ros.detection.vitpose.vitpose_detector import VitPoseDetector  # noqa: PLC0415

    return VitPoseDetector.load(options, device, threads)


DETECTORS: dict[str, DetectorFactory] = {
    "landmarks": LandmarkDetector.load,
    "onnx": OnnxDetector.load,
    "external": ExternalDetector.load,
    "vitpose": _vitpose,
}
"""Name -> factory that takes the options, the device and the number of threads."""


def make_detector(
    name: str,
    options: DetectorOptions = DEFAULT_OPTIONS,
    device: Device = CPU,
    threads: int = 1,
) -> Detector:
    """Build the detector called ``name``.

    Raises:
        ConfigurationError: there is no such detector, which the message lists, or onnxruntime does
            not run on ``device``.
        MissingFileError: its models have not been fetched, or a package is missing.
        And what the detector's own ``load`` raises.
    """
    if name not in DETECTORS:
        raise ConfigurationError(f"detector is '{name}'; known are: {', '.join(DETECTORS)}")
    return DETECTORS[name](options, device, threads)
