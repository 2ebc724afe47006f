"""Find hands in images.

A detector is whatever has the two methods of Detector; DETECTORS names those that exist.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hamer_ros.detection.detector import DEFAULT_OPTIONS, DetectorOptions, LandmarkDetector
from hamer_ros.hands import Detection, Frame
from hamer_ros.nets.session import CPU


class Detector(Protocol):
    """Finds the hands of one image after the other."""

    def detect(self, frame: Frame) -> list[Detection]:
        """Hands in the next image of a stream (or in a photograph)."""

    def reset(self) -> None:
        """Forget the images so far: the next one belongs to another stream."""


DetectorFactory = Callable[[DetectorOptions, tuple[str, ...], int], Detector]

DETECTORS: dict[str, DetectorFactory] = {"landmarks": LandmarkDetector.load}
"""Name -> factory that takes the options, onnxruntime's providers and the number of threads."""


def make_detector(
    name: str,
    options: DetectorOptions = DEFAULT_OPTIONS,
    providers: tuple[str, ...] = CPU,
    threads: int = 1,
) -> Detector:
    """Build the detector called ``name``.

    Raises:
        ValueError: there is no such detector; the message lists those that exist.
        NetsMissingError: its nets have not been fetched.
        ProviderError: onnxruntime does not have one of ``providers``.
    """
    if name not in DETECTORS:
        raise ValueError(f"no detector is called {name!r}; there are: {', '.join(DETECTORS)}")
    return DETECTORS[name](options, providers, threads)
