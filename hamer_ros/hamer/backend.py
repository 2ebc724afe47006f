"""The interface of all backends, which run HaMeR's network: options, call and result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np

from hamer_ros.inference.device import Device

BACKENDS = ("torch", "onnxruntime", "tensorrt")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")


@dataclass(frozen=True)
class BackendOptions:
    """Options of running the network.

    backend: one of `BACKENDS`.
    precision: one of `PRECISIONS`, of the backbone's matrices; auto is the fastest of those that
        the device computes well.  All else is computed in fp32.
    device: the processor that runs it.
    """

    backend: str = "torch"
    precision: str = "auto"
    device: Device = field(default_factory=Device)


@dataclass(frozen=True)
class HamerOutput:
    """The network's result for B crops, all of right hands: a left one was mirrored before.

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
    """Do nothing: the result is always wanted."""


class Backend(Protocol):
    """Runs the network.

    description: what runs it, in which precision and where, in words for the log.
    """

    @property
    def description(self) -> str:
        """The words for the log."""
        ...

    def __call__(self, crops: np.ndarray, check: Check = no_check) -> HamerOutput:
        """Compute the hands of crops (B, 3, 256, 256) float32, normalised.

        check: is called now and then; what it raises ends the run.
        """
        ...
