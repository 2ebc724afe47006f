"""Make the backend that runs the network, chosen by name.

torch
    On a CPU or, as CUDA graphs, on a GPU.
onnxruntime
    An exported file (`hamer_ros.hamer.export`), on a CPU or a GPU, without torch.
tensorrt
    The same file, on a GPU through onnxruntime's TensorRT provider.

A backend's packages are imported when it is chosen.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hamer_ros.errors import ConfigurationError, MissingFileError
from hamer_ros.hamer.backend import BACKENDS, PRECISIONS, Backend, BackendOptions
from hamer_ros.hamer.crops import SIZE

# ruff: noqa: PLC0415


def make_backend(checkpoint: Path, options: BackendOptions) -> Backend:
    """Load the network and run it once.

    checkpoint: .ckpt or .safetensors; for the backends other than torch it must have been exported,
        and may be the exported .onnx itself.

    Raises:
        ConfigurationError: an unknown backend or precision, or one that the device or the file does
            not have.
        MissingFileError: a package, the checkpoint or its export is missing.
        FileFormatError: the file is another one, or damaged.
        DeviceError: the GPU fails or has too little memory.
    """
    for name, known in (("backend", BACKENDS), ("precision", PRECISIONS)):
        if (value := getattr(options, name)) not in known:
            raise ConfigurationError(f"{name} is '{value}'; known are: {', '.join(known)}")
    backend = _load(checkpoint, options)
    crop = np.random.default_rng(0).normal(size=(1, 3, SIZE, SIZE)).astype(np.float32)
    output = backend(crop)
    if not all(np.isfinite(values).all() for values in vars(output).values()):
        raise ConfigurationError(
            f"{backend.description}: the network's results are not finite. In fp16 numbers beyond "
            "65504 overflow: choose the precision bf16 or fp32; in fp32 the weights are damaged"
        )
    return backend


def _load(checkpoint: Path, options: BackendOptions) -> Backend:
    if options.backend != "torch":
        try:
            from hamer_ros.hamer.onnx_backend import OnnxBackend
        except ImportError as error:
            raise MissingFileError(
                f"backend '{options.backend}' needs onnxruntime ({error}): pip install "
                f"{'onnxruntime' if options.device.kind == 'cpu' else 'onnxruntime-gpu'}"
            ) from error
        return OnnxBackend.load(checkpoint, options)
    try:
        from hamer_ros.hamer.torch_backend import load_torch_backend
    except ImportError as error:
        raise MissingFileError(
            f"backend 'torch' needs PyTorch ({error}): pip install torch, or export the checkpoint "
            "on a machine that has it and choose the backend onnxruntime"
        ) from error
    return load_torch_backend(checkpoint, options)
