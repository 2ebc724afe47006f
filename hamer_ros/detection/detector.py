"""The interface of all detectors, and their options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hamer_ros.hands import Detection, Frame


class Detector(Protocol):
    """Finds the hands of one image after the other."""

    def detect(self, frame: Frame) -> list[Detection]:
        """Find the hands in the next image of a stream (or in a photograph)."""

    def reset(self) -> None:
        """Forget the images so far: the next one belongs to another stream."""


@dataclass(frozen=True)
class DetectorOptions:
    """Options of the detectors, by the names of the node's parameters.

    max_hands: no more hands than this are followed and reported.
    photographs: every image is a photograph of its own: nothing is followed, and each is searched
        thoroughly.

    For ``landmarks``:

    search_period: images from one search to the next while at least one hand is followed.
    min_presence: a followed hand is lost when the landmark model is less sure of it.

    For ``onnx`` and ``vitpose``:

    detector_model: the ONNX file that finds hands or, for ``vitpose``, people.
    detector_classes: names of that file's classes, in order; empty where the file names them.
    min_score: ``onnx`` leaves out boxes with a lower score.
    vitpose: ViTPose's weights, or HaMeR's folder _DATA that holds them.
    """

    max_hands: int = 4
    photographs: bool = False
    search_period: int = 4
    min_presence: float = 0.5
    detector_model: Path | None = None
    detector_classes: tuple[str, ...] = ()
    min_score: float = 0.4
    vitpose: Path | None = None


DEFAULT_OPTIONS = DetectorOptions()
