"""Run the network with torch: on a CPU as it is, on a GPU as CUDA graphs."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from hamer_ros.errors import ConfigurationError
from hamer_ros.hamer.backend import Backend, BackendOptions, Check, HamerOutput, no_check
from hamer_ros.hamer.checkpoint import load_network
from hamer_ros.hamer.cuda_backend import CudaBackend
from hamer_ros.hamer.network import HamerNetwork
from hamer_ros.inference.device import Device
from hamer_ros.inference.torch_device import check_cuda, gpu_name
from hamer_ros.networks.vision_transformer import checked

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

_HAS_FAST_FP16 = (7, 0)
"""Compute capability of the first GPUs whose matrix units take fp16."""


class TorchBackend:
    """Runs a network on the CPU."""

    def __init__(self, network: HamerNetwork, precision: str = "fp32") -> None:
        self._network = network.eval()
        self.description = (
            f"torch {torch.__version__}, {precision}, cpu with {torch.get_num_threads()} threads"
        )

    def __call__(self, crops: np.ndarray, check: Check = no_check) -> HamerOutput:
        """Compute the hands of crops (B, 3, 256, 256) float32, normalised."""
        with torch.inference_mode(), checked(self._network.backbone, check):
            fields = self._network(torch.from_numpy(crops))
        return HamerOutput(*(values.numpy() for values in fields))


def load_torch_backend(checkpoint: Path, options: BackendOptions) -> Backend:
    """Load a checkpoint for the device and precision asked for.

    Raises:
        ConfigurationError: no such device or precision.
        DeviceError: the GPU is lost, or has too little memory.
        MissingFileError: there is no such file, see `load_network`.
        FileFormatError: the file is no checkpoint, see `load_network`.
    """
    precision = choose_precision(options.precision, options.device)
    return put_on(load_network(checkpoint), precision, options.device)


def choose_precision(precision: str, device: Device) -> str:
    """The precision meant by ``auto``, or the one given where the device has it.

    Raises:
        ConfigurationError: no such device, or none that computes so.
        DeviceError: the GPU is lost.
    """
    if device.kind == "cpu":
        if precision != "auto":
            return precision
        return "bf16" if bf16_is_fast() else "fp32"
    check_cuda(device)
    if precision == "auto":
        # As fast as bf16 and eight times finer; the network was trained in it.
        capability = torch.cuda.get_device_capability(device.index)
        return "fp16" if capability >= _HAS_FAST_FP16 else "fp32"
    if precision == "bf16" and not _has_bf16(device):
        raise ConfigurationError(f"{gpu_name(device.index)} has no bf16; choose the precision fp16")
    return precision


def put_on(network: HamerNetwork, precision: str, device: Device) -> Backend:
    """Convert a network, in place, and make it ready to run on a device.

    Raises:
        DeviceError: too little memory there.
    """
    set_precision(network, DTYPES[precision])
    if device.kind == "cuda":
        return CudaBackend(network, torch.device("cuda", device.index), precision)
    return TorchBackend(network, precision)


def set_precision(network: HamerNetwork, dtype: torch.dtype) -> None:
    """Convert the matrices of the backbone, in place; norms, positions and head stay float32.

    On seeded weights, rounding the tokens as well doubles the error of bf16 and gains no time.
    """
    if dtype is torch.float32:
        return
    for module in network.backbone.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.to(dtype)
    # The few that stay would keep all of the file mapped.
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.dtype is torch.float32:
            tensor.data = tensor.data.clone()


def bf16_is_fast() -> bool:
    """True if this CPU multiplies bf16 faster than fp32, found out in a tenth of a second.

    Measured, because where a CPU lacks the instructions torch is slow instead of refusing.
    """
    pairs = [
        (torch.ones(192, 1280, dtype=dtype), torch.ones(1280, 1280, dtype=dtype))
        for dtype in (torch.bfloat16, torch.float32)
    ]
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(5):
        for (tokens, weights), spent in zip(pairs, times, strict=True):
            begin = time.perf_counter()
            torch.mm(tokens, weights)
            spent.append(time.perf_counter() - begin)
    return 1.2 * min(times[0]) < min(times[1])


def _has_bf16(device: Device) -> bool:
    with torch.cuda.device(device.index):
        return torch.cuda.is_bf16_supported(including_emulation=False)
