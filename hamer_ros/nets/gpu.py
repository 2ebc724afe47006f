"""What is known about the memory of GPUs."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from hamer_ros.nets.device import Device

MEGABYTE = 1e-6


@dataclass(frozen=True)
class GpuMemory:
    """Megabytes: taken on the whole GPU by all processes, held by torch in this one, and in all."""

    used: float
    own: float
    total: float


def gpu_memory(device: Device) -> GpuMemory | None:
    """Ask torch; None for a CPU, and where nothing in this process has imported torch.

    Raises:
        RuntimeError: the GPU does not answer.
    """
    torch = sys.modules.get("torch")
    if device.kind != "cuda" or torch is None:
        return None
    free, total = torch.cuda.mem_get_info(device.index)
    own = torch.cuda.memory_reserved(device.index)
    return GpuMemory(MEGABYTE * (total - free), MEGABYTE * own, MEGABYTE * total)


def release_gpu_memory(device: Device) -> None:
    """Give back what torch keeps for later, once nothing refers to it any more."""
    torch = sys.modules.get("torch")
    if device.kind == "cuda" and torch is not None:
        torch.cuda.empty_cache()
