"""Run the network on an NVIDIA GPU as CUDA graphs.

A forward pass is some 500 kernels, most of which a large GPU finishes before the CPU has launched
the next one.  A graph launches them all at once, but only for the sizes it was recorded with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from hamer_ros.errors import DeviceError
from hamer_ros.hamer.backend import Check, HamerOutput, no_check
from hamer_ros.hamer.crops import SIZE
from hamer_ros.hamer.network import HamerNetwork
from hamer_ros.inference.device_failures import device_errors

BATCHES = (8, 4, 2, 1)
"""Numbers of crops that graphs are recorded for; the largest first, so that the others fit into the
memory that it has reserved."""

_FIELDS = ((3, 3), (15, 3, 3), (10,), (3,))
"""Shapes of one hand's fields of `HamerOutput`."""
_WIDTH = sum(int(np.prod(shape)) for shape in _FIELDS)


class CudaBackend:
    """Runs a network on a GPU, recorded for every size of `BATCHES` that fits into its memory.

    Raises:
        DeviceError: the GPU fails, or its memory does not suffice even for a single crop.
    """

    def __init__(self, network: HamerNetwork, device: torch.device, precision: str) -> None:
        name = torch.cuda.get_device_name(device)
        # Convolutions in fp32, like the first layer, would be computed in tf32: three digits.
        torch.backends.cudnn.allow_tf32 = False
        try:
            with device_errors():
                self._network = network.eval().to(device)
                with torch.cuda.device(device), torch.inference_mode():
                    self._stream = torch.cuda.Stream(device)
                    self._input = torch.zeros(BATCHES[0], 3, SIZE, SIZE, device=device)
                    self._graphs = self._record()
        except DeviceError as error:
            if not _is_out_of_memory(error):
                raise
            raise DeviceError(
                f"the memory of {device} ({name}) does not suffice for the network in {precision}: "
                f"{error}. Free some (nvidia-smi tells what holds it), or choose the precision fp16"
            ) from error
        largest = max(self._graphs)
        self._host_input = _pinned(largest, 3, SIZE, SIZE)
        self._host_output = _pinned(largest, _WIDTH)
        self.description = (
            f"torch {torch.__version__}, {precision}, {device} ({name}), "
            f"CUDA graphs for up to {largest} hands"
        )

    def __call__(self, crops: np.ndarray, check: Check = no_check) -> HamerOutput:
        """Compute the hands of crops (B, 3, 256, 256) float32, normalised.

        More than the largest graph takes are several runs.

        Raises:
            DeviceError: the GPU fails.
        """
        packed = np.empty((len(crops), _WIDTH), np.float32)
        for first, last, size in chunks(len(crops), self._graphs):
            check()
            with device_errors():
                packed[first:last] = self._run(crops[first:last], size)
        return _unpack(packed)

    def _run(self, crops: np.ndarray, size: int) -> np.ndarray:
        n = len(crops)
        graph = self._graphs[size]
        # Copies from and to pinned memory run beside the CPU and at the full speed of the bus.
        self._host_input[:n].numpy()[:] = crops
        with torch.cuda.stream(self._stream), torch.inference_mode():
            # What earlier crops have left in the rest is computed and thrown away.
            self._input[:n].copy_(self._host_input[:n], non_blocking=True)
            graph.replay()
            self._host_output[:n].copy_(graph.result[:n], non_blocking=True)
        self._stream.synchronize()
        return self._host_output[:n].numpy()

    def _record(self) -> dict[int, Recording]:
        """Record graphs, by size; those that do not fit into the memory are left out.

        Raises:
            RuntimeError: not even one for a single crop fits.
        """
        graphs: dict[int, Recording] = {}
        pool = torch.cuda.graph_pool_handle()
        for size in BATCHES:
            try:
                graphs[size] = Recording(self._compute(size), self._stream, pool)
            except RuntimeError as error:
                nothing_fits = size == BATCHES[-1] and not graphs
                if nothing_fits or not _is_out_of_memory(error):
                    raise
                torch.cuda.empty_cache()
        return graphs

    def _compute(self, size: int) -> Callable[[], torch.Tensor]:
        crops = self._input[:size]
        # One array of results is one copy back.
        return lambda: torch.cat([values.flatten(1) for values in self._network(crops)], dim=1)


class Recording:
    """A computation recorded as a CUDA graph.

    Graphs of one pool share their memory: a result lasts until another one is replayed.
    """

    def __init__(
        self,
        compute: Callable[[], torch.Tensor],
        stream: torch.cuda.Stream,
        pool: Any,
    ) -> None:
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            # Libraries choose their kernels and reserve their memory in the first runs.
            for _ in range(3):
                compute()
        stream.synchronize()
        # What the warm-up has used is not part of the pool and would be missing there.
        torch.cuda.empty_cache()
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, pool=pool, stream=stream):
            self.result = compute()

    def replay(self) -> None:
        """Compute again, from what the inputs hold now, on the current stream."""
        self._graph.replay()


def chunks(n: int, sizes: dict[int, Recording]) -> Iterator[tuple[int, int, int]]:
    """Divide n crops: first, last (exclusive) and size of the smallest graph that holds them."""
    largest = max(sizes)
    for first in range(0, n, largest):
        last = min(first + largest, n)
        yield first, last, min(size for size in sizes if size >= last - first)


def _unpack(packed: np.ndarray) -> HamerOutput:
    ends = np.cumsum([int(np.prod(shape)) for shape in _FIELDS])[:-1]
    parts = np.split(packed, ends, axis=1)
    return HamerOutput(
        *(part.reshape(-1, *shape) for part, shape in zip(parts, _FIELDS, strict=True))
    )


def _is_out_of_memory(error: BaseException | None) -> bool:
    """True if a lack of memory caused it; libraries and recordings have errors of their own."""
    while error is not None:
        if isinstance(error, torch.cuda.OutOfMemoryError) or "ALLOC_FAILED" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _pinned(*shape: int) -> torch.Tensor:
    return torch.empty(*shape, pin_memory=True)
