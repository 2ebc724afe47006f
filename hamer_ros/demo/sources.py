"""Sources of frames: a stack of frames, images, a video or a live camera."""

from __future__ import annotations

import itertools
import math
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from hamer_ros.demo.orientation import UPRIGHT, orientation_of
from hamer_ros.ros.images.contrast_stretch import Stretch

RATE = 30.0
"""Frames per second of a source that has no rate of its own."""

STILL_RATE = 1.0
"""Frames per second of photographs: each is searched thoroughly, which takes a while."""

STILL_SECONDS = 3.0
"""Seconds for which a photograph is played."""

LIVE_SECONDS = 10.0
"""Seconds for which a live camera is played."""

_VIDEO_TURNS = {90: 6, 180: 3, 270: 8}
"""Degrees by which FFmpeg turns a video's frames clockwise -> Exif's orientation."""

_OF_ANY_KIND = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH

_IMAGE_SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


class SourceError(Exception):
    """A source that cannot be played; the message names what was looked for and where."""


@dataclass(frozen=True)
class Source:
    """Frames to play.

    name: for people.
    rate: frames per second.
    live: it waits for a camera: then it plays once only and sets the pace itself.
    stills: it consists of photographs, each played for a while, one after the other.
    frames: begins to play; (H, W, 3) uint8 RGB each.  A photograph is the same array each time.
        Raises SourceError when something turns out to be unreadable.
    orientations: Exif's, of all that is played; the frames themselves are upright.
    """

    name: str
    rate: float
    live: bool
    stills: bool
    frames: Callable[[], Iterator[np.ndarray]]
    orientations: frozenset[int] = frozenset({UPRIGHT})


def open_source(text: str, rate: float | None = None, seconds: float | None = None) -> Source:
    """Return the source that a text of the user names.

    text: path of an image, a folder of images, a video or a stack of frames (``.npy`` with
        (N, H, W, 3) uint8 RGB), or a camera of this machine by its number or device.  The images
        of a folder are a recording if all have one size, otherwise photographs; they are played
        in numerical order, 9 before 10.
    rate: frames per second; by default a video's own, `STILL_RATE` of photographs, otherwise
        `RATE`.
    seconds: duration to play; by default all of a recording, `STILL_SECONDS` of each photograph
        and `LIVE_SECONDS` of a live camera, which plays on and on for ``math.inf``.

    Raises:
        SourceError: nothing there, or nothing that can be read.
    """
    path = Path(text)
    try:
        if path.is_dir():
            return _folder(path, rate, seconds)
        if path.is_file():
            if path.suffix.lower() == ".npy":
                return _stack(path, rate or RATE, seconds)
            if path.suffix.lower() in _IMAGE_SUFFIXES:
                return _stills([path], rate or STILL_RATE, seconds)
            return _video(path, rate, seconds)
    except OSError as error:
        raise SourceError(f"{text} cannot be read: {error.strerror or error}") from error
    if text.isdecimal():
        return _live(f"/dev/video{int(text)}", rate or RATE, seconds)
    if text.startswith("/dev/") or path.is_char_device():
        return _live(text, rate or RATE, seconds)
    raise SourceError(
        f"'{text}' does not exist; give an image, a folder, a video or a camera number"
    )


def read_image(path: Path) -> np.ndarray:
    """Return an image (H, W, 3) uint8 RGB, turned upright by its Exif data.

    Raises:
        SourceError: it is not an image that OpenCV reads.
    """
    return _read(path)[0]


def _read(path: Path) -> tuple[np.ndarray, int]:
    """Return the upright image, and Exif's orientation of the stored one."""
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
    image = _decoded(path, data, _OF_ANY_KIND)
    has_orientation = path.suffix.lower() in {".tif", ".tiff"} or b"exif" in data.tobytes().lower()
    orientation = UPRIGHT
    if has_orientation:
        # Decoders differ in the formats that they turn: compare what this one did.
        stored = _decoded(path, data, _OF_ANY_KIND | cv2.IMREAD_IGNORE_ORIENTATION)
        orientation = orientation_of(stored, image)
    return cv2.cvtColor(_eight_bits(image), cv2.COLOR_BGR2RGB), orientation


def _decoded(path: Path, data: np.ndarray, flags: int) -> np.ndarray:
    try:
        image = cv2.imdecode(data, flags) if data.size else None
    except cv2.error as error:
        raise SourceError(f"{path} cannot be read as an image: {error.err}") from error
    if image is None:
        raise SourceError(f"{path} cannot be read as an image")
    return image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)


def _eight_bits(image: np.ndarray) -> np.ndarray:
    """Return the same picture as uint8, as the node shows images of more bits."""
    if image.dtype == np.uint8:
        return image
    if image.dtype != np.uint16:
        finite = image[np.isfinite(image)].astype(np.float64)
        low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
        values = np.nan_to_num(image.astype(np.float64), nan=low, posinf=high, neginf=low)
        image = ((values - low) * (65535 / max(high - low, 1e-9))).astype(np.uint16)
    return Stretch()(image)


def _folder(path: Path, rate: float | None, seconds: float | None) -> Source:
    images = [p for p in path.iterdir() if p.suffix.lower() in _IMAGE_SUFFIXES]
    # Files that begin with a dot are some systems' metadata of the picture of that name.
    images = sorted((p for p in images if not p.name.startswith(".")), key=_natural)
    if not images:
        kinds = ", ".join(sorted(_IMAGE_SUFFIXES))
        raise SourceError(f"the folder {path} holds no images ({kinds})")
    read = [(image.shape, orientation) for image, orientation in map(_read, images)]
    if len(images) == 1 or len({shape for shape, _ in read}) > 1:
        return _stills(images, rate or STILL_RATE, seconds)
    chosen_rate = rate or RATE

    def play() -> Iterator[np.ndarray]:
        return itertools.islice(map(read_image, images), _count(chosen_rate, seconds))

    orientations = frozenset(orientation for _, orientation in read)
    return Source(path.name, chosen_rate, False, False, play, orientations)


def _natural(path: Path) -> tuple[list[str | int], str]:
    """Return a key that sorts names numerically: 2.jpg before 10.jpg."""
    parts = re.split(r"([0-9]+)", path.name.lower())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], path.name


def _stills(images: list[Path], rate: float, seconds: float | None) -> Source:
    orientations = frozenset(_read(image)[1] for image in images)
    count = round(rate * (STILL_SECONDS if seconds is None else seconds))

    def play() -> Iterator[np.ndarray]:
        for image in images:
            yield from itertools.repeat(read_image(image), max(1, count))

    name = images[0].name if len(images) == 1 else images[0].parent.name
    return Source(name, rate, False, True, play, orientations)


def _stack(path: Path, rate: float, seconds: float | None) -> Source:
    try:
        frames = np.load(path, mmap_mode="r")
    except (ValueError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise SourceError(f"{path} cannot be read: {reason}") from error
    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8 or not frames.size:
        raise SourceError(
            f"{path} holds {frames.dtype} {frames.shape}; a stack of frames is uint8 (N, H, W, 3)"
        )

    def play() -> Iterator[np.ndarray]:
        return itertools.islice(map(np.array, frames), _count(rate, seconds))

    return Source(path.stem, rate, live=False, stills=False, frames=play)


def _video(path: Path, rate: float | None, seconds: float | None) -> Source:
    capture = cv2.VideoCapture(str(path))
    own_rate = capture.get(cv2.CAP_PROP_FPS)
    turned = round(capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 360
    readable, _ = capture.read()
    capture.release()
    if not readable:
        with path.open("rb"):  # raises with the reason if it may not be read
            raise SourceError(f"{path} cannot be read as a video, nor is it an image")
    if not 1.0 <= own_rate <= 240.0:  # as some containers have it without a rate
        own_rate = RATE
    chosen_rate = rate or own_rate

    def play() -> Iterator[np.ndarray]:
        return itertools.islice(_captured(str(path)), _count(chosen_rate, seconds))

    orientations = frozenset({_VIDEO_TURNS.get(turned, UPRIGHT)})
    return Source(path.name, chosen_rate, False, False, play, orientations)


def _live(device: str, rate: float, seconds: float | None) -> Source:
    devices = ", ".join(
        sorted(map(str, Path("/dev").glob("video*")), key=lambda name: (len(name), name))
    )
    found = f"cameras here: {devices}" if devices else "this machine shows no camera at all"
    number = re.fullmatch(r"/dev/video([0-9]+)", os.path.realpath(device))
    name = f"camera {number[1]}" if number else f"camera {device}"
    if not Path(device).exists():
        raise SourceError(f"there is no {name} ({device} does not exist; {found})")
    if number is None:
        raise SourceError(f"{device} is no video device; {found}")
    if not os.access(device, os.R_OK | os.W_OK):
        raise SourceError(
            f"{device} may not be opened by this user: sudo usermod -aG video $USER, then log in "
            "again"
        )

    def play() -> Iterator[np.ndarray]:
        count = _count(rate, LIVE_SECONDS if seconds is None else seconds)
        return itertools.islice(_captured(int(number[1])), count)

    return Source(name, rate, live=True, stills=False, frames=play)


def _captured(what: str | int) -> Iterator[np.ndarray]:
    capture = cv2.VideoCapture(what)
    if not capture.isOpened():
        raise SourceError(f"camera {what} cannot be opened; another program may be using it")
    try:
        while True:
            is_read, bgr = capture.read()
            if not is_read:
                return
            yield cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    finally:
        capture.release()


def _count(rate: float, seconds: float | None) -> int | None:
    """Return the number of frames to play; None for all."""
    if seconds is None or math.isinf(seconds):
        return None
    return max(1, round(rate * seconds))
