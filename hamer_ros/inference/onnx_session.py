"""Run an ONNX model.

onnxruntime is imported with the first model: pipelines of other models do without it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from hamer_ros.errors import (
    ConfigurationError,
    DeviceError,
    FileFormatError,
    HamerRosError,
    MissingFileError,
)
from hamer_ros.files.kinds import ONNX, UNKNOWN, refusal, user_file, what_is
from hamer_ros.inference.device import CPU_PROVIDER, Provider
from hamer_ros.inference.device_failures import device_errors, is_device_failure

CPU: tuple[str, ...] = (CPU_PROVIDER,)

CHECK_EVERY = 0.02
"""Seconds between two checks that the result of a long run is still wanted."""


class OnnxModel:
    """An ONNX model with one input, loaded and ready to run.

    path: the ONNX file.
    providers: onnxruntime's execution providers, the preferred one first.  All must be available:
        falling back in silence would hide that a GPU stands idle.
    threads: CPU threads of one run; 0 takes all cores.

    Raises:
        MissingFileError: there is no such file, or no onnxruntime.
        ConfigurationError: a provider is not available, or has no GPU of that number.
        FileFormatError: the file is damaged or something else; the text says what it is.
        DeviceError: the GPU fails or has too little memory.
    """

    def __init__(self, path: Path, providers: tuple[Provider, ...] = CPU, threads: int = 1) -> None:
        names = tuple(p if isinstance(p, str) else p[0] for p in providers)
        check_providers(names)
        path = user_file(path, "an ONNX model")
        import onnxruntime  # noqa: PLC0415

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                # Or else what a GPU cannot load is loaded on the CPU in silence.
                str(path),
                options,
                providers=list(providers),
                enable_fallback=0,
            )
        # Its exceptions have no common class but this.
        except Exception as error:
            raise _why_not_loaded(path, names, error) from error
        # The same for runs, in versions that do not take it from the above.
        self._session.disable_fallback()
        # onnxruntime drops a provider whose libraries do not load and only warns about it.
        check_providers(names, self._session.get_providers())
        self._input = self._session.get_inputs()[0].name
        self._edge = nullcontext if set(names) <= {CPU_PROVIDER} else device_errors

    @property
    def metadata(self) -> Mapping[str, str]:
        """The metadata that the file holds, text by name."""
        return self._session.get_modelmeta().custom_metadata_map

    def __call__(self, value: np.ndarray) -> list[np.ndarray]:
        """Run the model on its input (float32, the model's own shape); return its outputs in order.

        Raises:
            DeviceError: the GPU fails.
        """
        with self._edge():
            return self._session.run(None, {self._input: value})

    def run_while_wanted(self, value: np.ndarray, check: Callable[[], None]) -> list[np.ndarray]:
        """Run a model that takes long; whatever ``check`` raises meanwhile ends it.

        value: as in `__call__`.
        check: is called on another thread.
        """
        from onnxruntime import RunOptions  # noqa: PLC0415

        check()
        options, ended = RunOptions(), threading.Event()

        def watch() -> None:
            while not ended.wait(CHECK_EVERY):
                try:
                    check()
                except Exception:
                    options.terminate = True  # between two layers
                    return

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            with self._edge():
                return self._session.run(None, {self._input: value}, options)
        except Exception:
            check()
            raise
        finally:
            ended.set()
            watcher.join()


def check_providers(providers: tuple[str, ...], available: list[str] | None = None) -> None:
    """Check that onnxruntime has all of ``providers``.

    available: the providers that it has; None asks it.

    Raises:
        MissingFileError: there is no onnxruntime.
        ConfigurationError: one is not available.
    """
    if available is None:
        try:
            import onnxruntime  # noqa: PLC0415
        except ImportError as error:
            raise MissingFileError(
                f"models need onnxruntime ({error}): pip install "
                f"{'onnxruntime' if set(providers) <= {CPU_PROVIDER} else 'onnxruntime-gpu'}"
            ) from error

        available = onnxruntime.get_available_providers()
    missing = [p for p in providers if p not in available]
    if missing:
        raise ConfigurationError(
            f"onnxruntime cannot run on {', '.join(missing)}; available here: "
            f"{', '.join(available)}. An NVIDIA GPU needs `pip install onnxruntime-gpu` in place "
            "of onnxruntime, CUDA and cuDNN libraries that it can load, and in cuda:N a number of "
            "`nvidia-smi -L`; without one choose device:=cpu"
        )


def _why_not_loaded(path: Path, providers: tuple[str, ...], error: Exception) -> HamerRosError:
    """The error to raise where onnxruntime fails to load a file that exists."""
    # The path may hold any words.
    said = str(error).replace(str(path), path.name)
    where = f"{path}: onnxruntime cannot load it on {', '.join(providers)}: {said}"
    if "Invalid device ID" in said:
        return ConfigurationError(f"{where}. In cuda:N N is a number of `nvidia-smi -L`")
    if set(providers) > {CPU_PROVIDER} and is_device_failure(error):
        return DeviceError(f"{where}. `nvidia-smi` tells whether the GPU answers and has room")
    weights = path.with_name(f"{path.name}.data")
    if "external data" in said.lower() and not weights.exists():
        return MissingFileError(f"{weights}: no such file; {path.name} holds no weights without it")
    if (kind := what_is(path)) not in (ONNX, UNKNOWN):
        return refusal(path, "an ONNX model")
    return FileFormatError(
        f"{where}. It is damaged or has parts that this onnxruntime does not know "
        f"({kind}): get it again; the models in the cache come back with: hamer_ros fetch-models"
    )
