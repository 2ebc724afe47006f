"""The memory of GPUs: how much is used, and releasing what torch keeps."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from hamer_ros.errors import DeviceError
from hamer_ros.inference.device import Device
from hamer_ros.inference.device_failures import device_errors

DRIVER = "libcuda.so.1"
"""NVIDIA's driver, which torch and onnxruntime both go through."""

MEGABYTE = 1e-6


@dataclass(frozen=True)
class GpuMemory:
    """Memory of a GPU in megabytes.

    used: by all processes.
    total: all of it.
    torch: held by torch in this process; None where torch is not imported.
    """

    used: float
    total: float
    torch: float | None


def has_driver() -> bool:
    """True if this machine has NVIDIA's driver: without it there is no GPU that could be lost."""
    try:
        ctypes.CDLL(DRIVER)
    except OSError:
        return False
    return True


def gpu_memory(device: Device) -> GpuMemory | None:
    """The memory of a device as its driver reports it; None for a CPU and without a driver.

    Raises:
        DeviceError: the GPU does not answer.
    """
    if device.kind != "cuda":
        return None
    try:
        driver = ctypes.CDLL(DRIVER)
    except OSError:
        return None
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    with _context(driver, device.index):
        _call(driver, "cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
    torch = sys.modules.get("torch")
    held = None if torch is None else MEGABYTE * torch.cuda.memory_reserved(device.index)
    return GpuMemory(MEGABYTE * (total.value - free.value), MEGABYTE * total.value, held)


def release_gpu_memory(device: Device) -> None:
    """Give back what torch keeps for later, once nothing refers to it any more."""
    torch = sys.modules.get("torch")
    if device.kind == "cuda" and torch is not None and torch.cuda.is_available():
        # A GPU that is lost holds nothing any more; whoever computes on it next gets the error.
        with suppress(DeviceError), device_errors():
            torch.cuda.empty_cache()


@contextmanager
def _context(driver: ctypes.CDLL, index: int) -> Iterator[None]:
    """Make the GPU's primary context, which torch and onnxruntime share, current on this thread."""
    gpu, context = ctypes.c_int(), ctypes.c_void_p()
    _call(driver, "cuInit", ctypes.c_uint(0))
    _call(driver, "cuDeviceGet", ctypes.byref(gpu), ctypes.c_int(index))
    _call(driver, "cuDevicePrimaryCtxRetain", ctypes.byref(context), gpu)
    try:
        _call(driver, "cuCtxPushCurrent_v2", context)
        try:
            yield
        finally:
            _call(driver, "cuCtxPopCurrent_v2", ctypes.byref(ctypes.c_void_p()))
    finally:
        _call(driver, "cuDevicePrimaryCtxRelease_v2", gpu)


def _call(driver: ctypes.CDLL, name: str, *arguments: object) -> None:
    if code := getattr(driver, name)(*arguments):
        raise DeviceError(f"{name} fails with CUDA error {code}")
