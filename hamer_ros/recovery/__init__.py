"""Detections -> hands: recoverers, chosen by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from hamer_ros.errors import ConfigurationError
from hamer_ros.hamer.loading import HamerOptions, load_recoverer
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hands import Detection, Frame, Hand
from hamer_ros.recovery.ensemble import EnsembleRecoverer
from hamer_ros.recovery.landmarks import LandmarkRecoverer


class Recoverer(Protocol):
    """Finds the pose and shape of detected hands.

    name: the key in `RECOVERERS`, published with every result.
    model: the hand model that its parameters belong to.
    engine: what computes, in words for the log.
    """

    name: str
    model: HandModel
    engine: str

    def recover(self, frame: Frame, detections: Sequence[Detection]) -> list[Hand]:
        """Recover what can be recovered; a detection without the evidence needed is left out."""
        ...

    def reset(self) -> None:
        """Forget everything that earlier frames left behind."""
        ...


def _landmarks(_: HamerOptions) -> Recoverer:
    return LandmarkRecoverer(HandModel.default())


def _ensemble(options: HamerOptions) -> Recoverer:
    return EnsembleRecoverer(load_recoverer(options), _landmarks(options))


RECOVERERS: dict[str, Callable[[HamerOptions], Recoverer]] = {
    "landmarks": _landmarks,
    "hamer": load_recoverer,
    "ensemble": _ensemble,
}
"""Name -> maker of the recoverer."""

DEFAULT_OPTIONS = HamerOptions()


def make_recoverer(name: str, options: HamerOptions = DEFAULT_OPTIONS) -> Recoverer:
    """The recoverer of that name.

    options: of ``hamer``; ``landmarks`` has none.

    Raises:
        ConfigurationError: no such recoverer; the message lists those there are.
        And what its maker raises: that of ``hamer`` is `load_recoverer`.
    """
    if name not in RECOVERERS:
        raise ConfigurationError(f"estimator is '{name}'; known are: {', '.join(RECOVERERS)}")
    return RECOVERERS[name](options)
