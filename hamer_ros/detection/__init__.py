"""Find hands in images.

A detector is whatever has the two methods of Detector; DETECTORS names those that exist.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hamer_ros.detection.detector import DEFAULT_OPTIONS, DetectorOptions, LandmarkDetector
from hamer_ros.detection.given import GivenDetector
from hamer_ros.detection.onnx_boxes import OnnxDetector
from hamer_ros.errors import ConfigurationError, MissingFileError
from hamer_ros.hands import Detection, Frame
from hamer_ros.nets.device import Provider
from hamer_ros.nets.session import CPU


class Detector(Protocol):
    """Finds the hands of one image after the other."""

    def detect(self, frame: Frame) -> list[Detection]:
        """Hands in the next image of a stream (or in a photograph)."""

    def reset(self) -> None:
        """Forget the images so far: the next one belongs to another stream."""


DetectorFactory = Callable[[DetectorOptions, tuple[Provider, ...], int], Detector]


def _vitpose(options: DetectorOptions, providers: tuple[Provider, ...], threads: int) -> Detector:
    try:
        import torch  # noqa: F401, PLC0415 - an optional package
    except ImportError as error:
        raise MissingFileError("the detector 'vitpose' needs torch: pip install torch") from error
    from hamer_ros.detection.vitpose.detector import VitPoseDetector  # noqa: PLC0415

    return VitPoseDetector.load(options, providers, threads)


DETECTORS: dict[str, DetectorFactory] = {
    "landmarks": LandmarkDetector.load,
    "onnx": OnnxDetector.load,
    "given": GivenDetector.load,
    "vitpose": _vitpose,
}
"""Name -> factory that takes the options, onnxruntime's providers and the number of threads."""


def make_detector(
    name: str,
    options: DetectorOptions = DEFAULT_OPTIONS,
    providers: tuple[Provider, ...] = CPU,
    threads: int = 1,
) -> Detector:
    """Build the detector called ``name``.

    Raises:
        ConfigurationError: there is no such detector, which the message lists, or onnxruntime does
            not have one of ``providers``.
        MissingFileError: its nets have not been fetched, or a package is missing.
        Whatever else the detector's own ``load`` raises.
    """
    if name not in DETECTORS:
        raise ConfigurationError(f"detector is '{name}'; known are: {', '.join(DETECTORS)}")
    return DETECTORS[name](options, providers, threads)
