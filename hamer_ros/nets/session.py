"""Run an ONNX net.

onnxruntime is imported with the first net: pipelines of other nets do without it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from hamer_ros.nets.device import CPU_PROVIDER, Provider

CPU: tuple[str, ...] = (CPU_PROVIDER,)

CHECK_EVERY = 0.02
"""Seconds between two questions whether the result of a long run is still wanted."""


class ProviderError(RuntimeError):
    """An execution provider was asked for that this onnxruntime does not have."""


class NetError(RuntimeError):
    """A file is not a net that onnxruntime can load; the text names it and says what to do."""


class Net:
    """An ONNX net with one input, loaded and ready to run.

    Args:
        path: the ONNX file.
        providers: onnxruntime's execution providers, the preferred one first.  All must be
            available: falling back in silence would hide that a GPU stands idle.
        threads: CPU threads of one run; 0 takes all cores.

    Raises:
        ProviderError: a provider is not available.
        NetError: the file is damaged, or the device has no room for it.
    """

    def __init__(self, path: Path, providers: tuple[Provider, ...] = CPU, threads: int = 1) -> None:
        names = tuple(p if isinstance(p, str) else p[0] for p in providers)
        check_providers(names)
        import onnxruntime  # noqa: PLC0415

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=list(providers)
            )
        # Its exceptions have no common class but this.
        except Exception as error:
            raise NetError(
                f"{path}: onnxruntime cannot load it on {', '.join(names)}: {error}. If the file "
                "is damaged, remove it and get it again; the nets in the cache come back with: "
                "hamer_ros fetch-models"
            ) from error
        # Or else a run that fails on a GPU is repeated on the CPU in silence, as are all after it.
        self._session.disable_fallback()
        # onnxruntime drops a provider whose libraries do not load and only warns about it.
        check_providers(names, self._session.get_providers())
        self._input = self._session.get_inputs()[0].name

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the file says of itself."""
        return self._session.get_modelmeta().custom_metadata_map

    def __call__(self, value: np.ndarray) -> list[np.ndarray]:
        """Run the net on its input (float32, the net's own shape); its outputs in order."""
        return self._session.run(None, {self._input: value})

    def run_while_wanted(self, value: np.ndarray, check: Callable[[], None]) -> list[np.ndarray]:
        """Run a net that takes long; whatever ``check`` raises on the way ends it.

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
            return self._session.run(None, {self._input: value}, options)
        except Exception:
            check()
            raise
        finally:
            ended.set()
            watcher.join()


def check_providers(providers: tuple[str, ...], available: list[str] | None = None) -> None:
    """Raise ProviderError unless every one of ``providers`` is available to onnxruntime."""
    if available is None:
        import onnxruntime  # noqa: PLC0415

        available = onnxruntime.get_available_providers()
    missing = [p for p in providers if p not in available]
    if missing:
        raise ProviderError(
            f"onnxruntime cannot run on {', '.join(missing)}; available here: "
            f"{', '.join(available)}. An NVIDIA GPU needs `pip install onnxruntime-gpu` in place "
            "of onnxruntime, CUDA and cuDNN libraries that it can load, and in cuda:N a number of "
            "`nvidia-smi -L`."
        )
