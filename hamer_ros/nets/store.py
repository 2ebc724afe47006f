"""Fetch the palm and hand nets once and keep them in the user's cache.

The nets are MediaPipe's (Apache License 2.0).  They travel inside the ``mediapipe`` wheel; the
wheel itself is not installed, because it pins old versions of numpy and protobuf and does not
exist for every machine.  pip downloads it, so that pip's own configuration of index, proxy and
certificates holds here too.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

MEDIAPIPE_VERSION = "0.10.21"
WHEEL_SHA256 = "956eb1ebc275c629e61b085b2cab89c3a5b9e93bad1bb107348d98dafb5a4bb5"
CACHE_VARIABLE = "HAMER_ROS_CACHE"
FETCH_COMMAND = "hamer_ros fetch-models"

NETS: dict[str, tuple[str, str]] = {
    "palm_detection_lite": (
        "mediapipe/modules/palm_detection/palm_detection_lite.tflite",
        "e9a4aaddf90dda56a87235303cf00e4c2d3fb28725f68fd88772997dac905c18",
    ),
    "palm_detection_full": (
        "mediapipe/modules/palm_detection/palm_detection_full.tflite",
        "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
    ),
    "hand_landmark_full": (
        "mediapipe/modules/hand_landmark/hand_landmark_full.tflite",
        "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
    ),
}
"""Name of a net -> (its path in the wheel, sha256 of that file)."""

_LICENSE = f"""The nets in this folder are part of MediaPipe {MEDIAPIPE_VERSION}.
Copyright The MediaPipe Authors.  Licensed under the Apache License, Version 2.0;
you may obtain a copy of the License at http://www.apache.org/licenses/LICENSE-2.0
Source: https://github.com/google-ai-edge/mediapipe (wheel: https://pypi.org/project/mediapipe/).
Changed: converted from TensorFlow Lite to ONNX.
"""


class NetsMissingError(FileNotFoundError):
    """A net is not in the cache."""


class FetchError(RuntimeError):
    """The nets could not be fetched; the message says what to do."""


def cache_folder() -> Path:
    """Folder of this package's downloads: $HAMER_ROS_CACHE or hamer_ros in the user's cache."""
    own = os.environ.get(CACHE_VARIABLE)
    if own:
        return Path(own)
    user = os.environ.get("XDG_CACHE_HOME")
    return (Path(user) if user else Path.home() / ".cache") / "hamer_ros"


def nets_folder() -> Path:
    """Folder that holds the converted nets of this version."""
    return cache_folder() / "nets" / MEDIAPIPE_VERSION


def net_path(name: str) -> Path:
    """Path of the converted net ``name``, one of NETS.

    Raises:
        NetsMissingError: it has not been fetched.
    """
    path = _target(name)
    if not path.is_file():
        raise NetsMissingError(
            f"The net {name} is not at {path}. Fetch it with: {FETCH_COMMAND} "
            f"(once, needs the network; {CACHE_VARIABLE} names another cache folder)."
        )
    return path


def fetch_nets(progress: Callable[[str], None] = print) -> Path:
    """Download, check, convert and store the nets that are not in the cache yet.

    Args:
        progress: is given one line of text for each step.

    Returns:
        The folder of the nets.

    Raises:
        FetchError: no network, no conversion packages, or a file that is not the expected one.
    """
    folder = nets_folder()
    missing = [name for name in NETS if not _target(name).is_file()]
    if not missing:
        progress(f"The {len(NETS)} nets are already in {folder}.")
        return folder
    convert = _import_converter()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="hamer_ros-") as scratch:
        progress(f"Downloading the mediapipe {MEDIAPIPE_VERSION} wheel (36 MB) with pip ...")
        wheel = _download_wheel(Path(scratch))
        data = wheel.read_bytes()
        progress(f"Downloaded {wheel.name}, {_megabytes(data)}.")
        _check_hash(data, WHEEL_SHA256, wheel.name)
        with zipfile.ZipFile(wheel) as archive:
            for name in missing:
                member, expected = NETS[name]
                model = archive.read(member)
                _check_hash(model, expected, member)
                _write_atomically(_target(name), convert(model, member))
                progress(f"Converted {name}, {_megabytes(model)}.")
    _write_atomically(folder / "LICENSE", _LICENSE.encode())
    progress(f"The {len(NETS)} nets are in {folder}.")
    return folder


def _target(name: str) -> Path:
    return nets_folder() / f"{name}.onnx"


def _import_converter() -> Callable[[bytes, str], bytes]:
    try:
        from hamer_ros.nets.tflite_to_onnx import convert  # noqa: PLC0415 - needed here only
    except ImportError as error:
        raise FetchError(
            f"Converting the nets needs two more packages ({error}): pip install tflite onnx"
        ) from error
    return convert


def _download_wheel(folder: Path) -> Path:
    """Let pip download the mediapipe wheel into ``folder``; its path.

    The platform is fixed, whatever the machine: the nets inside are the same in all wheels, and
    only one of them has to be checked against a known hash.
    """
    download = ["download", "--no-deps", "--only-binary=:all:", "--python-version", "3.12"]
    download += ["--platform", "manylinux_2_28_x86_64", f"mediapipe=={MEDIAPIPE_VERSION}"]
    command = [sys.executable, "-m", "pip", *download, "--dest", str(folder)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("mediapipe-*.whl"))
    if run.returncode == 0 and wheels:
        return wheels[0]
    if "No module named pip" in run.stderr:
        raise FetchError(f"{sys.executable} has no pip; install it (python3-pip) and try again.")
    raise FetchError(
        f"The mediapipe {MEDIAPIPE_VERSION} wheel could not be downloaded: pip could not reach "
        f"its package index, or the index does not have it. On a machine with network run "
        f"`{FETCH_COMMAND}` and copy the folder nets/{MEDIAPIPE_VERSION} of its cache to "
        f"{nets_folder()} here. pip said:\n{_last_lines(run.stderr)}"
    )


def _check_hash(data: bytes, expected: str, name: str) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise FetchError(
            f"{name} is not the file that was expected: its sha256 is {found}, not {expected}. "
            "Nothing was stored; the package index may serve another build."
        )


def _write_atomically(path: Path, data: bytes) -> None:
    """Write so that a crash or a second process never leaves half a file under the name."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        file.write(data)
    # A temporary file is private to its owner; a shared cache has to be readable.
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def _megabytes(data: bytes) -> str:
    return f"{len(data) / 1e6:.1f} MB"


def _last_lines(text: str, count: int = 5) -> str:
    return "\n".join(text.strip().splitlines()[-count:])
