"""Find the two files that HaMeR needs and that nobody may pass on with this package."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

IN_DATA_FOLDER = {
    "checkpoint": Path("hamer_ckpts", "checkpoints", "hamer.ckpt"),
    "mano": Path("data", "mano", "MANO_RIGHT.pkl"),
}
"""Where HaMeR's own scripts put the files under their folder ``_DATA``."""

_SOURCES = {
    "checkpoint": (
        "HaMeR's checkpoint comes from https://github.com/geopavlakos/hamer (fetch_demo_data.sh)"
    ),
    "mano": (
        "MANO's right hand comes from https://mano.is.tue.mpg.de, after registration and under "
        "its licence"
    ),
}


class MissingFileError(FileNotFoundError):
    """A file is not where it was looked for; the text says where that was and where to get it."""


@dataclass(frozen=True)
class HamerFiles:
    """Where the files lie.

    checkpoint: hamer.ckpt, or its weights as .safetensors.  mano: MANO_RIGHT.pkl.
    """

    checkpoint: Path
    mano: Path


def find_files(
    data: str | PathLike[str] | None = None,
    checkpoint: str | PathLike[str] | None = None,
    mano: str | PathLike[str] | None = None,
) -> HamerFiles:
    """Find both files, each at its own path or else in a folder ``_DATA`` as HaMeR's users have it.

    Raises MissingFileError for a file that is not there, ValueError where neither its path nor the
    folder is given.
    """
    return HamerFiles(_find("checkpoint", checkpoint, data), _find("mano", mano, data))


def find_checkpoint(path: str | PathLike[str]) -> Path:
    """The checkpoint: the file of that path, or the one in a folder ``_DATA``.

    Raises MissingFileError.
    """
    path = Path(path).expanduser()
    return _find("checkpoint", None, path) if path.is_dir() else _find("checkpoint", path, None)


def _find(name: str, single: str | PathLike[str] | None, data: str | PathLike[str] | None) -> Path:
    if single is None and data is None:
        raise ValueError(
            f"neither the path of '{name}' nor HaMeR's folder _DATA is given. {_SOURCES[name]}"
        )
    path = Path(data or "") / IN_DATA_FOLDER[name] if single is None else Path(single)
    path = path.expanduser()
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file. {_SOURCES[name]}")
    return path
