"""Make the estimator ``hamer`` from its options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hamer_ros.files.kinds import absolute_path
from hamer_ros.hamer.backend import BackendOptions
from hamer_ros.hamer.find_files import HamerFiles, check_checkpoint, find_checkpoint, find_files
from hamer_ros.hamer.hamer_estimator import HamerEstimator
from hamer_ros.hamer.make_backend import make_backend
from hamer_ros.hand_model.mano_pickle import load_mano
from hamer_ros.inference.device import CPU, Device


@dataclass(frozen=True)
class HamerOptions:
    """Options of the estimator ``hamer``.

    checkpoint: path of hamer.ckpt, of its weights as .safetensors, of an exported .onnx, or of the
        folder _DATA that holds checkpoint and hand model as HaMeR's scripts leave them.
    mano: path of MANO_RIGHT.pkl, or of an .npz with its fields; None means that of _DATA.
    backend, precision, device: as `BackendOptions`.
    """

    checkpoint: Path | None = None
    mano: Path | None = None
    backend: str = "torch"
    precision: str = "auto"
    device: Device = CPU


def load_hamer_estimator(options: HamerOptions) -> HamerEstimator:
    """Find and read the files and make the network ready to run.

    Raises:
        MissingFileError: a file is not there; the text says where to get it.
        FileFormatError: a file of another kind, or a damaged one.
        ConfigurationError: an unknown choice, or one that cannot be had here.
        DeviceError: the GPU fails or has too little memory.
    """
    if options.checkpoint is not None:
        # An archive of everything must be named as such before MANO is missed.
        check_checkpoint(find_checkpoint(options.checkpoint))
    files = _find(options)
    # The small file first: what is wrong with it shows before the large one is read.
    model = load_mano(files.mano)
    backend_options = BackendOptions(options.backend, options.precision, options.device)
    return HamerEstimator(make_backend(files.checkpoint, backend_options), model)


def _find(options: HamerOptions) -> HamerFiles:
    if options.checkpoint is not None and absolute_path(options.checkpoint).is_dir():
        return find_files(data=options.checkpoint, mano=options.mano)
    return find_files(checkpoint=options.checkpoint, mano=options.mano)
