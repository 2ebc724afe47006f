"""Devices that models run on, as parameters and programs write them: ``cpu``, ``cuda:1``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from hamer_ros.errors import ConfigurationError

Provider: TypeAlias = "str | tuple[str, dict[str, str]]"
"""An execution provider of onnxruntime, with or without its options."""

CPU_PROVIDER = "CPUExecutionProvider"
CUDA_PROVIDER = "CUDAExecutionProvider"
TENSORRT_PROVIDER = "TensorrtExecutionProvider"


@dataclass(frozen=True)
class Device:
    """A processor that models run on.

    kind: cpu or cuda.
    index: that of the GPU.
    """

    kind: str = "cpu"
    index: int = 0

    @classmethod
    def parse(cls, text: str) -> Device:
        """Read ``cpu``, ``cuda`` or ``cuda:N``.

        Raises:
            ConfigurationError: anything else.
        """
        match = re.fullmatch(r"(cpu|cuda)(?:(?<=cuda):(\d+))?", text)
        if match is None:
            raise ConfigurationError(f"device is '{text}'; known are: cpu, cuda, cuda:N")
        return cls(match[1], int(match[2] or 0))

    def __str__(self) -> str:
        return "cpu" if self.kind == "cpu" else f"cuda:{self.index}"

    @property
    def providers(self) -> tuple[Provider, ...]:
        """Onnxruntime's execution providers for it, the preferred one first."""
        if self.kind == "cpu":
            return (CPU_PROVIDER,)
        return ((CUDA_PROVIDER, {"device_id": str(self.index)}), CPU_PROVIDER)


CPU = Device()
"""The processor that every machine has."""
