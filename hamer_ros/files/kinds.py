"""Name the kind of a file by its first bytes, for the message that another one was wanted.

Downloads end as something else under the right name: the login page of the site, an archive that
was not unpacked, a pointer that Git left in place of the file, the beginning of the file.
"""

from __future__ import annotations

import gzip
import os
import zipfile
import zlib
from os import PathLike
from pathlib import Path

from hamer_ros.errors import ConfigurationError, FileFormatError, MissingFileError

EMPTY = "an empty file"
WEB_PAGE = "a web page"
LFS_POINTER = "a pointer that Git LFS left in place of the file"
FOLDER = "a folder"
TAR_GZ = "a .tar.gz archive"
TAR = "a .tar archive"
ZIP = "a .zip archive"
CUT_ZIP = "the beginning of a .zip archive or PyTorch checkpoint"
SEVEN_ZIP = "a .7z archive"
RAR = "a .rar archive"
PYTORCH = "a PyTorch checkpoint"
OLD_PYTORCH = "a PyTorch checkpoint of the old format"
TORCHSCRIPT = "a TorchScript program"
SAFETENSORS = "a .safetensors file"
NPZ = "an .npz file"
NPY = "an .npy file"
PICKLE = "a Python pickle"
ONNX = "an ONNX model"
TFLITE = "a TensorFlow Lite model"
HDF5 = "an HDF5 file"
PICTURE = "a picture"
RECORDING = "a recording"
DATABASE = "a database, perhaps a recording"
PDF = "a PDF document"
TEXT = "a text file"
UNKNOWN = "a file of no kind that is known here"

_ARCHIVES = (TAR_GZ, TAR, ZIP, SEVEN_ZIP, RAR, "a .gz file", "a .xz file", "a .bz2 file")

_REMEDIES = {
    EMPTY: "the download failed: fetch it again",
    WEB_PAGE: "probably the login page of the site, or its word that a limit is reached, saved "
    "under this name: log in with a browser and fetch it again",
    LFS_POINTER: "fetch the file itself: git lfs pull",
    FOLDER: "give the file in it",
    CUT_ZIP: "the download broke off: fetch it again",
    **dict.fromkeys(_ARCHIVES, "unpack it and give the file in it"),
}

_MAGIC = (
    (0, b"\x93NUMPY", NPY),
    (0, b"7z\xbc\xaf\x27\x1c", SEVEN_ZIP),
    (0, b"Rar!\x1a\x07", RAR),
    (0, b"\xfd7zXZ\0", "a .xz file"),
    (0, b"BZh", "a .bz2 file"),
    (257, b"ustar", TAR),
    (0, b"\x89PNG\r\n\x1a\n", PICTURE),
    (0, b"\xff\xd8\xff", PICTURE),
    (0, b"GIF8", PICTURE),
    (0, b"II*\0", PICTURE),
    (0, b"MM\0*", PICTURE),
    (8, b"WEBP", PICTURE),
    (0, b"\x89MCAP", RECORDING),
    (0, b"#ROSBAG", RECORDING),
    (0, b"SQLite format 3\0", DATABASE),
    (0, b"%PDF-", PDF),
    (0, b"\x89HDF\r\n\x1a\n", HDF5),
    (4, b"TFL3", TFLITE),
    # The number that torch.save put first until 1.6, as a pickle.
    (0, b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19", OLD_PYTORCH),
)
"""Offset, bytes that stand there, kind."""

_HEAD = 4096


def what_is(path: str | PathLike[str]) -> str:
    """Name the kind of a file, with its article: "a web page", "a .tar.gz archive".

    Raises:
        OSError: the file cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        return FOLDER
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        return EMPTY
    if head.startswith((b"PK\3\4", b"PK\5\6")):
        return _kind_of_zip(path)
    if head.startswith(b"\x1f\x8b"):
        return _kind_of_gzip(path)
    for offset, magic, kind in _MAGIC:
        if head.startswith(magic, offset):
            return kind
    return _kind_of_text(head) or _kind_of_binary(head)


def user_file(path: str | PathLike[str], wanted: str, source: str = "") -> Path:
    """The absolute path of a file that a user has given and that can be opened.

    path: may begin with ``~`` and be relative.
    wanted: what it should be, such as "an ONNX model".
    source: a sentence that says where to get it.

    Raises:
        MissingFileError: there is none.
        FileFormatError: it is a folder.
        ConfigurationError: it may not be read.
    """
    absolute = absolute_path(path)
    hint = f". {source}" if source else ""
    try:
        if absolute.is_dir():
            raise refusal(absolute, wanted)
        if not absolute.exists():
            raise MissingFileError(f"{absolute}: no such file{hint}")
    except PermissionError as error:
        raise _unreadable(absolute) from error
    if not os.access(absolute, os.R_OK):
        raise _unreadable(absolute)
    return absolute


def absolute_path(path: str | PathLike[str]) -> Path:
    """The path without ``~`` and from the root, so that messages name one place."""
    # Unlike Path.expanduser it leaves the home of an unknown user as it is.
    return Path(os.path.abspath(os.path.expanduser(path)))


def refusal(path: Path, wanted: str, detail: str = "") -> FileFormatError:
    """The error that a file is of another kind, with what helps against that.

    wanted: what it should be, with its article.
    detail: what else is known, or what to do where the kind does not tell.
    """
    kind = what_is(path)
    remedy = detail or _REMEDIES.get(kind, "")
    return FileFormatError(f"{path}: is {kind}, not {wanted}" + (f": {remedy}" if remedy else ""))


def is_archive(kind: str) -> bool:
    """True if files have to be unpacked from a file of this kind."""
    return kind in _ARCHIVES


def _unreadable(path: Path) -> ConfigurationError:
    return ConfigurationError(
        f"{path}: may not be read by the user of this process (`ls -l` tells whose it is)"
    )


def _kind_of_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        # The list of contents comes last.
        return CUT_ZIP
    if any(name.endswith("/constants.pkl") for name in names):
        return TORCHSCRIPT
    if any(name.endswith("/data.pkl") for name in names):
        return PYTORCH
    if names and all(name.endswith(".npy") for name in names):
        return NPZ
    return ZIP


def _kind_of_gzip(path: Path) -> str:
    try:
        with gzip.open(path) as file:
            head = file.read(512)
    except (OSError, EOFError, zlib.error):
        head = b""
    return TAR_GZ if head[257:262] == b"ustar" or _is_named_tar(path) else "a .gz file"


def _is_named_tar(path: Path) -> bool:
    return path.name.endswith((".tar.gz", ".tgz"))


_OLDEST_PICKLES = (b"(dp", b"(lp", b"ccopy_reg\n", b"}q")
"""Beginnings of pickles of protocols 0 and 1, which have no mark of their own."""


def _kind_of_text(head: bytes) -> str | None:
    """The kind of a file of printable characters; None for others."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return WEB_PAGE
    if text.startswith(b"version https://git-lfs."):
        return LFS_POINTER
    if head.startswith(_OLDEST_PICKLES) or not all(b >= 0x20 or b in b"\t\n\r\f" for b in head):
        return None
    return WEB_PAGE if b"<html" in text else TEXT


def _kind_of_binary(head: bytes) -> str:
    if (head[0] == 0x80 and head[1:2] <= b"\5") or head.startswith(_OLDEST_PICKLES):
        return PICKLE
    if head[8:10] == b'{"' and int.from_bytes(head[:8], "little") < 1 << 32:
        return SAFETENSORS
    # A message of protobuf whose first field is a small version number, then a text or a message.
    if head[0] == 0x08 and head[1:2] <= b"\x1e" and head[2:3] in (b"\x12", b"\x1a", b":", b"B"):
        return ONNX
    return UNKNOWN
