"""Detections -> hands: recoverers, chosen by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from hamer_ros.hand_model.model import HandModel
from hamer_ros.hands import Detection, Frame, Hand
from hamer_ros.recovery.landmarks import LandmarkRecoverer


class Recoverer(Protocol):
    """Finds the pose and shape of detected hands.

    name: the key in `RECOVERERS`, published with every result.
    model: the hand model that its parameters belong to.
    """

    name: str
    model: HandModel

    def recover(self, frame: Frame, detections: Sequence[Detection]) -> list[Hand]:
        """Recover what can be recovered; a detection without the evidence needed is left out."""
        ...

    def reset(self) -> None:
        """Forget everything that earlier frames left behind."""
        ...


def _landmarks() -> Recoverer:
    return LandmarkRecoverer(HandModel.default())


RECOVERERS: dict[str, Callable[[], Recoverer]] = {"landmarks": _landmarks}
"""Name -> maker of the recoverer."""


def make_recoverer(name: str) -> Recoverer:
    """The recoverer of that name.

    Raises:
        ValueError: no such recoverer; the message lists those there are.
    """
    if name not in RECOVERERS:
        raise ValueError(f"estimator is '{name}'; known are: {', '.join(RECOVERERS)}")
    return RECOVERERS[name]()
