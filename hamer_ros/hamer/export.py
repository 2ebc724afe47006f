"""Export the network to ONNX: crops in, the fields of `HamerOutput` out, any number of hands.

The hand model is not part of it: skinning costs nothing beside the network, and MANO's licence
does not allow passing it on inside another file.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from hamer_ros.errors import HamerRosError, MissingFileError
from hamer_ros.hamer.backend import HamerOutput
from hamer_ros.hamer.checkpoint import load_network
from hamer_ros.hamer.crops import SIZE
from hamer_ros.hamer.export_format import INPUT, METADATA, OUTPUTS, exported_path
from hamer_ros.hamer.find_files import find_checkpoint
from hamer_ros.hamer.network import HamerNetwork
from hamer_ros.hamer.onnx_backend import OnnxBackend
from hamer_ros.hamer.torch_backend import DTYPES, TorchBackend, set_precision
from hamer_ros.hamer.vertex_distance import vertex_distances
from hamer_ros.hand_model.model import HandModel
from hamer_ros.inference.device import Device

LIMITS = {"fp32": 5e-5, "fp16": 2e-3}
"""Metres by which a vertex of the checked hand may differ from torch's in fp32."""

_PACKAGES = ("onnx", "onnxscript")


class ExportError(HamerRosError):
    """The export is not what torch computes; nothing was put in place."""


def export_checkpoint(
    checkpoint: Path,
    precision: str = "fp32",
    output: Path | None = None,
    progress: Callable[[str], None] = print,
) -> Path:
    """Write a checkpoint as ONNX, unless that was done before, and return the path of the file.

    checkpoint: .ckpt or .safetensors, or the folder _DATA that holds the former.
    precision: fp32, or fp16 for the matrices of the backbone.
    output: the file to write, with its weights beside it as NAME.data; without, it goes into the
        cache, where the backends find it.
    progress: is given one line of text for each step.

    Raises:
        ExportError: the result was wrong.
        MissingFileError: there is no such file, or packages are missing.
        FileFormatError: the checkpoint is not one, see `load_network`.
    """
    checkpoint = find_checkpoint(checkpoint)
    if missing := [name for name in _PACKAGES if importlib.util.find_spec(name) is None]:
        raise MissingFileError(f"exporting needs more packages: pip install {' '.join(missing)}")
    path = exported_path(checkpoint, precision) if output is None else output
    if output is None and path.is_file():
        progress(f"The checkpoint has been exported in {precision} before: {path}")
        return path
    progress(f"Reading {checkpoint} ...")
    network = load_network(checkpoint)
    export_network(network, precision, path, SIZE, progress)
    return path


def export_network(
    network: HamerNetwork,
    precision: str,
    path: Path,
    side: int,
    progress: Callable[[str], None],
) -> None:
    """Write a network, converted in place, and check the file before it gets its name.

    precision: as in `export_checkpoint`.
    side: that of the network's crops, pixels.

    Raises:
        ExportError: the result was wrong.
    """
    begin = time.monotonic()
    crops = np.random.default_rng(0).normal(size=(2, 3, side, side)).astype(np.float32)
    expected = TorchBackend(network)(crops[:1])
    set_precision(network, DTYPES[precision])
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=path.parent) as folder:
        # Under its final name, which the graph mentions to find its weights.
        scratch = Path(folder, path.name)
        progress("Tracing the network and writing it (about a minute) ...")
        with _quiet():
            program = torch.onnx.export(
                network,
                (torch.from_numpy(crops),),
                input_names=[INPUT],
                output_names=list(OUTPUTS),
                dynamic_shapes=({0: torch.export.Dim("hands", min=1)},),
                dynamo=True,
                verbose=False,
            )
        assert program is not None
        program.model.metadata_props[METADATA] = precision
        program.save(scratch, external_data=True)
        del program
        progress(f"Checking it ({_megabytes(Path(folder))}) ...")
        error = _check(scratch, crops[:1], expected, precision)
        # The graph last: with it the export is there.
        for file in (scratch.with_name(f"{path.name}.data"), scratch):
            os.replace(file, path.with_name(file.name))
    progress(
        f"{path} is ready; its vertices are within {1e3 * error:.4f} mm of torch's in fp32 "
        f"({time.monotonic() - begin:.0f} s)."
    )


def _check(path: Path, crops: np.ndarray, expected: HamerOutput, precision: str) -> float:
    """The greatest distance of a vertex from where it should be, metres.

    Raises:
        ExportError: it is greater than `LIMITS`.
    """
    backend = OnnxBackend(path, Device().providers, "cpu")
    distances = vertex_distances(backend(crops), expected, HandModel.default())
    error = float(distances.max())
    if not error < LIMITS[precision]:  # NaN is not
        raise ExportError(
            f"the exported network differs from torch's by {1e3 * error:.3f} mm, more than "
            f"{1e3 * LIMITS[precision]:.2f} mm; it was not stored"
        )
    return error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """A context without the exporter's remarks about itself and about packages that it lacks."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _megabytes(folder: Path) -> str:
    return f"{sum(file.stat().st_size for file in folder.iterdir()) / 1e6:.0f} MB"
