"""Fetch the palm and hand models once and keep them in the user's cache.

The models are MediaPipe's (Apache License 2.0).  They travel inside the ``mediapipe`` wheel; the
wheel itself is not installed, because it pins old versions of numpy and protobuf and does not
exist for every machine.  pip downloads it, so that pip's own configuration of index, proxy and
certificates holds here too.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from hamer_ros.errors import FileFormatError, HamerRosError, MissingFileError
from hamer_ros.files.user_folders import user_folder
from hamer_ros.inference.pip import PipError, run_pip
from hamer_ros.interrupt import quiet

MEDIAPIPE_VERSION = "0.10.21"
WHEEL_BYTES = 35_627_340
WHEEL_SHA256 = "956eb1ebc275c629e61b085b2cab89c3a5b9e93bad1bb107348d98dafb5a4bb5"
CACHE_VARIABLE = "HAMER_ROS_CACHE"
FETCH_COMMAND = "hamer_ros fetch-models"

_SUMS = "SHA256SUMS"
_POLL_PERIOD = 0.1

MODELS: dict[str, tuple[str, str]] = {
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
"""Name of a model -> (its path in the wheel, sha256 of that file)."""

_LICENSE = f"""The models in this folder are part of MediaPipe {MEDIAPIPE_VERSION}.
Copyright The MediaPipe Authors.  Licensed under the Apache License, Version 2.0;
you may obtain a copy of the License at http://www.apache.org/licenses/LICENSE-2.0
Source: https://github.com/google-ai-edge/mediapipe (wheel: https://pypi.org/project/mediapipe/).
Changed: converted from TensorFlow Lite to ONNX.
"""


class ModelsMissingError(MissingFileError):
    """A model is not in the cache."""


class ModelDamagedError(FileFormatError):
    """A model in the cache is not what was once stored there."""


class FetchError(HamerRosError):
    """The models could not be fetched; the message says what to do."""


def cache_folder() -> Path:
    """Folder of this package's downloads: $HAMER_ROS_CACHE or hamer_ros in the user's cache.

    Raises:
        ConfigurationError: nobody knows where the home folder is.
    """
    own = os.environ.get(CACHE_VARIABLE)
    if own:
        return Path(own)
    return user_folder("XDG_CACHE_HOME", ".cache") / "hamer_ros"


def models_folder() -> Path:
    """Folder that holds the converted models of this version."""
    return cache_folder() / "models" / MEDIAPIPE_VERSION


def model_path(name: str) -> Path:
    """Path of the converted model ``name``, one of MODELS.

    Raises:
        ModelsMissingError: it has not been fetched, or this user may not read it.
        ModelDamagedError: the file has changed since it was stored.
    """
    path = _target(name)
    try:
        exists = path.is_file()
        sound = exists and _is_sound(name)
    except OSError as error:
        raise ModelsMissingError(
            f"The model {name} cannot be read: {error}. Have its owner make it readable, or name "
            f"another cache folder by {CACHE_VARIABLE}."
        ) from error
    if not exists:
        raise ModelsMissingError(
            f"The model {name} is not at {path}. Fetch it with: {FETCH_COMMAND} "
            f"(once, needs the network; {CACHE_VARIABLE} names another cache folder)."
        )
    if not sound:
        raise ModelDamagedError(
            f"The model {path} is damaged: its sha256 is not that of {path.parent / _SUMS}. "
            f"Fetch it again with: {FETCH_COMMAND}"
        )
    return path


Advance = Callable[[int], object]
"""Advances a progress bar by the number of bytes that have come since it was called last."""


@contextmanager
def _no_bar(_: int) -> Iterator[Advance]:
    yield lambda _: None


def fetch_models(
    progress: Callable[[str], None] = print,
    force: bool = False,
    download: Callable[[int], AbstractContextManager[Advance]] = _no_bar,
) -> Path:
    """Download, check, convert and store the models that the cache lacks or holds damaged.

    All are stored, or none: an error or an interrupt leaves the cache as it was.

    progress: is given one line of text for each step.
    force: fetch those that the cache has as well.
    download: opens a progress bar for a number of bytes.

    Returns the folder of the models.

    Raises:
        FetchError: no network, no conversion packages, a file that is not the expected one, or a
            cache that cannot be written.
        ConfigurationError: nobody knows where the home folder is.
    """
    folder = models_folder()
    try:
        wanted = [name for name in MODELS if force or not _is_stored(name)]
        if not wanted:
            progress(f"The {len(MODELS)} models are already in {folder}.")
            return folder
        convert = _import_converter()
        folder.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(prefix="hamer_ros-") as scratch,
            # In the cache, so that what is ready is put in place by renaming, which takes no room.
            tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder) as ready,
        ):
            progress(f"Downloading the mediapipe {MEDIAPIPE_VERSION} wheel (36 MB) with pip ...")
            with download(WHEEL_BYTES) as advance, _watched(Path(scratch), advance):
                wheel = _download_wheel(Path(scratch))
            _convert_all(wheel, wanted, convert, Path(ready), progress)
    except FileFormatError as error:
        raise FetchError(
            f"the models cannot be converted: {error}; with the versions in requirements/run.txt "
            "of onnx and tflite they can be"
        ) from error
    except OSError as error:
        raise FetchError(
            f"the models cannot be stored in {folder}: {error.strerror or error}"
            f"{f' ({error.filename})' if error.filename else ''}. Nothing was stored; make it "
            "writable, with 10 MB of room there and 80 MB in TMPDIR (/tmp), or name another cache "
            f"folder: {FETCH_COMMAND} --cache FOLDER"
        ) from error
    progress(f"The {len(MODELS)} models are in {folder}.")
    return folder


def _convert_all(
    wheel: Path,
    wanted: Sequence[str],
    convert: Callable[[bytes, str], bytes],
    ready: Path,
    progress: Callable[[str], None],
) -> None:
    """Take models out of the wheel, convert them and put them in place once all are ready."""
    data = wheel.read_bytes()
    _check_hash(data, WHEEL_SHA256, wheel.name)
    sums = _recorded_sums()
    files = {"LICENSE": _LICENSE.encode()}
    with zipfile.ZipFile(wheel) as archive:
        for name in wanted:
            member, expected = MODELS[name]
            model = archive.read(member)
            _check_hash(model, expected, member)
            model = convert(model, member)
            file = _target(name).name
            files[file], sums[file] = model, hashlib.sha256(model).hexdigest()
            progress(f"Converted {name}, {_megabytes(model)}.")
    lines = "".join(f"{digest}  {file}\n" for file, digest in sorted(sums.items()))
    files[_SUMS] = lines.encode()
    for file, content in files.items():
        (ready / file).write_bytes(content)
    (models_folder() / _SUMS).unlink(missing_ok=True)  # in between, they would not match
    for file in files:
        (ready / file).replace(models_folder() / file)


def _target(name: str) -> Path:
    return models_folder() / f"{name}.onnx"


def _is_stored(name: str) -> bool:
    return _target(name).is_file() and _is_sound(name)


def _is_sound(name: str) -> bool:
    """True if the file is the one that was stored, or if its sha256 was not recorded."""
    path = _target(name)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return _recorded_sums().get(path.name, digest) == digest


def _recorded_sums() -> dict[str, str]:
    """The sha256 of each file, by its name, when it was stored; as `sha256sum --check` reads it."""
    try:
        lines = (models_folder() / _SUMS).read_text().splitlines()
    except FileNotFoundError:
        return {}
    return {file: digest for digest, _, file in (line.partition("  ") for line in lines)}


def _import_converter() -> Callable[[bytes, str], bytes]:
    try:
        with quiet():
            from hamer_ros.inference.tflite_to_onnx import convert  # noqa: PLC0415 - needed here only
    except ImportError as error:
        raise FetchError(
            f"converting the models needs two more packages ({error}): pip install tflite onnx"
        ) from error
    return convert


def _download_wheel(folder: Path) -> Path:
    """Let pip download the mediapipe wheel into ``folder`` and return its path.

    The platform is fixed, whatever the machine: the models inside are the same in all wheels, and
    only one of them has to be checked against a known hash.
    """
    download = ["download", "--no-deps", "--only-binary=:all:", "--python-version", "3.12"]
    download += ["--platform", "manylinux_2_28_x86_64", f"mediapipe=={MEDIAPIPE_VERSION}"]
    try:
        run_pip([*download, "--dest", str(folder)], temporary=folder)
    except PipError as error:
        raise FetchError(
            f"the mediapipe {MEDIAPIPE_VERSION} wheel could not be downloaded: {error}. Where "
            f"there is no network, run `{FETCH_COMMAND}` on another machine and copy the folder "
            f"models/{MEDIAPIPE_VERSION} of its cache to {models_folder()} here"
        ) from error
    return next(folder.glob("mediapipe-*.whl"))


@contextmanager
def _watched(folder: Path, advance: Advance) -> Iterator[None]:
    """Report how a folder grows while it is filled, pip's own temporary files included."""
    ended = threading.Event()

    def watch() -> None:
        before = 0
        while not ended.wait(_POLL_PERIOD):
            size = 0
            with suppress(OSError):  # files and folders come and go
                for path in folder.rglob("*"):
                    size += path.stat().st_size
            advance(max(0, size - before))
            before = max(before, size)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _check_hash(data: bytes, expected: str, name: str) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise FetchError(
            f"{name} is not the file that was expected: its sha256 is {found}, not {expected}. "
            "Nothing was stored; the package index may serve another build."
        )


def _megabytes(data: bytes) -> str:
    return f"{len(data) / 1e6:.1f} MB"
