"""Check, name and choose GPUs through torch."""

from __future__ import annotations

import torch

from hamer_ros.errors import ConfigurationError, DeviceError
from hamer_ros.inference.device import Device
from hamer_ros.inference.gpu_memory import has_driver


def check_cuda(device: Device) -> None:
    """Check that torch has a GPU.

    Raises:
        ConfigurationError: this torch, this machine or this number has none.
        DeviceError: there is a driver, but no GPU that answers.
    """
    if not torch.cuda.is_available():
        what = f"device is {device}, but torch {torch.__version__} has no GPU"
        if torch.version.cuda is None:
            raise ConfigurationError(
                f"{what}: this build is for CPUs; install one for CUDA "
                "(https://pytorch.org/get-started), or choose device:=cpu"
            )
        if not has_driver():
            raise ConfigurationError(
                f"{what}: it is built for CUDA {torch.version.cuda}, but there is no driver for "
                "one; install NVIDIA's, or choose device:=cpu"
            )
        raise DeviceError(
            f"{what}: it is built for CUDA {torch.version.cuda} and there is a driver, but no GPU "
            "that answers; nvidia-smi tells more"
        )
    count = torch.cuda.device_count()
    if device.index >= count:
        present = ", ".join(f"cuda:{i} ({gpu_name(i)})" for i in range(count))
        raise ConfigurationError(f"device is {device}; present are: {present}")


def gpu_name(index: int) -> str:
    """The maker's name of a GPU."""
    return torch.cuda.get_device_name(index)


def torch_device(device: Device) -> torch.device:
    """The device in torch's own type."""
    return torch.device("cpu") if device.kind == "cpu" else torch.device("cuda", device.index)
