"""What HaMeR's network says of each crop, whichever engine ran it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np


@dataclass(frozen=True)
class HamerOutput:
    """The hands of B crops, all as right hands: a left one was mirrored before.

    global_orient: (B, 3, 3) rotation of the hand about its wrist, hand model -> crop's camera.
    hand_pose: (B, 15, 3, 3) rotations of the finger joints relative to their parents, MANO order.
    betas: (B, 10) shape coefficients.
    camera: (B, 3) = (s, tx, ty), the weak-perspective camera of the crop; tx and ty in metres.
    """

    global_orient: np.ndarray
    hand_pose: np.ndarray
    betas: np.ndarray
    camera: np.ndarray


Check: TypeAlias = Callable[[], None]
"""Raises where the result is not wanted any more."""


def no_check() -> None:
    """The result is wanted."""


class Backend(Protocol):
    """Runs the network.

    description: what runs it, in which precision and where, in words for the log.
    """

    @property
    def description(self) -> str:
        """In words."""
        ...

    def __call__(self, crops: np.ndarray, check: Check = no_check) -> HamerOutput:
        """The hands of crops (B, 3, 256, 256) float32, normalised.

        check: is called now and then; what it raises ends the run.
        """
        ...
