"""Find the two files that HaMeR needs and that nobody may pass on with this package."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from hamer_ros.errors import ConfigurationError, MissingFileError
from hamer_ros.files.kinds import (
    OLD_PYTORCH,
    ONNX,
    PICKLE,
    PYTORCH,
    SAFETENSORS,
    UNKNOWN,
    absolute_path,
    is_archive,
    refusal,
    user_file,
    what_is,
)

IN_DATA_FOLDER = {
    "checkpoint": Path("hamer_ckpts", "checkpoints", "hamer.ckpt"),
    "mano": Path("data", "mano", "MANO_RIGHT.pkl"),
}
"""Paths of the files below HaMeR's folder ``_DATA``, as HaMeR's own scripts put them there."""

_SOURCES = {
    "checkpoint": (
        "HaMeR's checkpoint comes from https://github.com/geopavlakos/hamer (fetch_demo_data.sh)"
    ),
    "mano": (
        "MANO's right hand comes from https://mano.is.tue.mpg.de, after registration and under "
        "its licence"
    ),
}


_WANTED = {"checkpoint": "HaMeR's checkpoint", "mano": "MANO's right hand"}

_UNNAMED = {
    "checkpoint": (
        "the parameter 'checkpoint' is empty: set it to HaMeR's folder _DATA "
        "(checkpoint:=/path/to/_DATA) or to the file itself (checkpoint:=/path/to/hamer.ckpt)"
    ),
    "mano": (
        "the parameter 'mano' is empty, and 'checkpoint' is not the folder _DATA that would hold "
        "the file: set mano:=/path/to/MANO_RIGHT.pkl"
    ),
}

_CHECKPOINTS = (PYTORCH, OLD_PYTORCH, SAFETENSORS, ONNX, PICKLE, UNKNOWN)
"""Kinds of files of which the reader says more, if they are not checkpoints."""


@dataclass(frozen=True)
class HamerFiles:
    """The paths of the files.

    checkpoint: hamer.ckpt, or its weights as .safetensors.
    mano: MANO_RIGHT.pkl.
    """

    checkpoint: Path
    mano: Path


def find_files(
    data: str | PathLike[str] | None = None,
    checkpoint: str | PathLike[str] | None = None,
    mano: str | PathLike[str] | None = None,
) -> HamerFiles:
    """Find both files, each at its own path or else in a folder ``_DATA`` as HaMeR's users have it.

    Raises:
        MissingFileError: a file is not there.
        ConfigurationError: neither its path nor the folder is given, or it may not be read.
        FileFormatError: a path is that of a folder.
    """
    return HamerFiles(_find("checkpoint", checkpoint, data), _find("mano", mano, data))


def find_checkpoint(path: str | PathLike[str]) -> Path:
    """Find the checkpoint: the file of that path, or the one in a folder ``_DATA``.

    Raises:
        What `find_files` raises.
    """
    path = absolute_path(path)
    return _find("checkpoint", None, path) if path.is_dir() else _find("checkpoint", path, None)


def check_checkpoint(path: Path) -> None:
    """Check the first bytes of a checkpoint: cheaper than to import what reads it.

    Raises:
        FileFormatError: it can be no checkpoint, as the archive that holds it.
    """
    kind = what_is(path)
    if is_archive(kind):
        raise refusal(
            path,
            "HaMeR's checkpoint",
            f"unpack it{_command(path)} and give the folder _DATA that comes out of it, "
            "checkpoint:=/path/to/_DATA",
        )
    if kind not in _CHECKPOINTS:
        raise refusal(path, "HaMeR's checkpoint")


def _command(archive: Path) -> str:
    return f" (tar -xf {archive})" if ".tar" in archive.suffixes or archive.suffix == ".tgz" else ""


def _find(name: str, single: str | PathLike[str] | None, data: str | PathLike[str] | None) -> Path:
    if single is not None:
        return user_file(single, _WANTED[name], _SOURCES[name])
    if data is None:
        raise ConfigurationError(f"{_UNNAMED[name]}. {_SOURCES[name]}")
    folder = absolute_path(data)
    path = folder / IN_DATA_FOLDER[name]
    if folder.is_dir() and not path.exists():
        raise MissingFileError(f"{path}: no such file{_other_folder(folder)}. {_SOURCES[name]}")
    return user_file(path, _WANTED[name], _SOURCES[name])


def _other_folder(folder: Path) -> str:
    """The words that a folder near it holds the files; none where none does."""
    for near in (folder / "_DATA", *folder.parents[:3]):
        if any((near / path).exists() for path in IN_DATA_FOLDER.values()):
            return f"; HaMeR's folder _DATA is {near}"
    return ""
