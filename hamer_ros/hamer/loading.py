"""Make the recoverer ``hamer`` from what a user says."""

from __future__ import annotations

from dataclasses import dataclass

from hamer_ros.file_kinds import absolute_path
from hamer_ros.hamer.backends import BackendOptions, make_backend
from hamer_ros.hamer.locate import HamerFiles, check_checkpoint, find_checkpoint, find_files
from hamer_ros.hamer.recoverer import HamerRecoverer
from hamer_ros.hand_model.mano_pickle import load_mano
from hamer_ros.nets.device import Device


@dataclass(frozen=True)
class HamerOptions:
    """What a user can choose about HaMeR.

    checkpoint: path of hamer.ckpt, of its weights as .safetensors, of an exported .onnx, or of the
        folder _DATA that holds checkpoint and hand model as HaMeR's scripts leave them.
    mano: path of MANO_RIGHT.pkl, or of an .npz with its fields; empty means that of _DATA.
    backend, precision, device: as `BackendOptions`; the device as text.
    """

    checkpoint: str = ""
    mano: str = ""
    backend: str = "torch"
    precision: str = "auto"
    device: str = "cpu"


def load_recoverer(options: HamerOptions) -> HamerRecoverer:
    """Find and read the files and make the network ready to run.

    Raises:
        MissingFileError: a file is not there; the text says where to get it.
        FileFormatError: a file of another kind, or a damaged one.
        ConfigurationError: an unknown choice, or one that cannot be had here.
        DeviceError: the GPU fails or has no room.
    """
    if options.checkpoint:
        # An archive of everything is to be called that before MANO is missed.
        check_checkpoint(find_checkpoint(options.checkpoint))
    files = _find(options)
    # The small file first: what is wrong with it shows before the large one is read.
    model = load_mano(files.mano)
    how = BackendOptions(options.backend, options.precision, Device.parse(options.device))
    return HamerRecoverer(make_backend(files.checkpoint, how), model)


def _find(options: HamerOptions) -> HamerFiles:
    mano = options.mano or None
    if options.checkpoint and absolute_path(options.checkpoint).is_dir():
        return find_files(data=options.checkpoint, mano=mano)
    return find_files(checkpoint=options.checkpoint or None, mano=mano)
