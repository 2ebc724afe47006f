"""The interface of all estimators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hamer_ros.hand_model.model import HandModel
from hamer_ros.hands import Detection, Frame, Hand


class Estimator(Protocol):
    """Estimates the pose and shape of detected hands.

    name: the key in `ESTIMATORS`, published with every result.
    model: the hand model that its parameters belong to.
    engine: words for the log: what computes.
    """

    name: str
    model: HandModel
    engine: str

    def estimate(self, frame: Frame, detections: Sequence[Detection]) -> list[Hand]:
        """Estimate the hands of detections; one without the evidence needed is left out."""
        ...

    def reset(self) -> None:
        """Forget everything that earlier frames left behind."""
        ...
