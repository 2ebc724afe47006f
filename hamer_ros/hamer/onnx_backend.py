"""Run an exported network with onnxruntime, without torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from hamer_ros.errors import ConfigurationError, FileFormatError, MissingFileError
from hamer_ros.hamer.backend import BackendOptions, Check, HamerOutput, no_check
from hamer_ros.hamer.crops import SIZE
from hamer_ros.hamer.export_format import EXPORT_COMMAND, INPUT, METADATA, exported_path
from hamer_ros.inference.device import (
    CPU_PROVIDER,
    CUDA_PROVIDER,
    TENSORRT_PROVIDER,
    Device,
    Provider,
)
from hamer_ros.inference.onnx_session import OnnxModel

LARGEST_BATCH = 16
"""Hands that TensorRT prepares for; the node follows no more."""


class OnnxBackend:
    """Runs a file that `hamer_ros export` has written.

    path: the .onnx.
    providers: onnxruntime's, the preferred one first.
    where: words for the device.

    Raises:
        FileFormatError: another kind of file.
        And what `OnnxModel` raises.
    """

    def __init__(self, path: Path, providers: tuple[Provider, ...], where: str) -> None:
        self._model = OnnxModel(path, providers, threads=0)
        if METADATA not in self._model.metadata:
            raise FileFormatError(f"{path} was not made by `{EXPORT_COMMAND}`")
        self.precision = self._model.metadata[METADATA]
        self.description = f"onnxruntime {onnxruntime.__version__}, {self.precision}, {where}"

    @classmethod
    def load(cls, checkpoint: Path, options: BackendOptions) -> OnnxBackend:
        """Load the export of a checkpoint from the cache, or an .onnx as it is.

        Raises:
            MissingFileError: it was not exported.
            ConfigurationError: it was exported in another precision, or there is no such precision
                or device.
            And what the class raises.
        """
        device, precision = options.device, options.precision
        if precision == "bf16":
            raise ConfigurationError(f"backend '{options.backend}' runs fp32 or fp16, not bf16")
        if options.backend == "tensorrt" and device.kind != "cuda":
            raise ConfigurationError("backend 'tensorrt' needs the device cuda")
        is_exported = checkpoint.suffix == ".onnx"
        if precision == "auto" and (not is_exported or options.backend == "tensorrt"):
            precision = "fp32" if device.kind == "cpu" else "fp16"
        if is_exported:
            path = checkpoint
        else:
            path = exported_path(checkpoint, precision)
            if not path.is_file():
                raise MissingFileError(
                    f"{checkpoint} has not been exported in {precision}; do so once with: "
                    f"{EXPORT_COMMAND} --checkpoint {checkpoint} --precision {precision}"
                )
        if options.backend == "tensorrt":
            backend = cls(path, _tensorrt(device, path, precision), f"TensorRT on {device}")
        else:
            backend = cls(path, _plain(device), str(device))
        if precision not in ("auto", backend.precision):
            raise ConfigurationError(
                f"{path} was exported in {backend.precision}, not in {precision}"
            )
        return backend

    def __call__(self, crops: np.ndarray, check: Check = no_check) -> HamerOutput:
        """Compute the hands of crops (B, 3, 256, 256) float32, normalised."""
        return HamerOutput(*self._model.run_while_wanted(crops, check))


def _plain(device: Device) -> tuple[Provider, ...]:
    if device.kind == "cpu":
        return device.providers
    # By default fp32 is computed in tf32, with a precision of three digits.
    options = {"device_id": str(device.index), "use_tf32": "0"}
    return ((CUDA_PROVIDER, options), CPU_PROVIDER)


def _tensorrt(device: Device, path: Path, precision: str) -> tuple[Provider, ...]:
    """The providers for TensorRT, with engines kept beside the file: building one takes minutes."""
    shape = f"{INPUT}:{{}}x3x{SIZE}x{SIZE}"
    options = {
        "device_id": str(device.index),
        "trt_fp16_enable": "1" if precision == "fp16" else "0",
        # Norms overflow in fp16.
        "trt_layer_norm_fp32_fallback": "1",
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(path.parent / "tensorrt"),
        "trt_profile_min_shapes": shape.format(1),
        "trt_profile_opt_shapes": shape.format(2),
        "trt_profile_max_shapes": shape.format(LARGEST_BATCH),
    }
    return ((TENSORRT_PROVIDER, options), *_plain(device))
