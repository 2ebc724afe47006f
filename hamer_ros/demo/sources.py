"""Where the frames come from: a stack of frames, images, a video or a live camera."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

RATE = 30.0
"""Frames per second of a source that has no rate of its own."""

STILL_RATE = 1.0
"""Frames per second of photographs: each is searched thoroughly, which takes its time."""

STILL_SECONDS = 3.0
"""For how long a photograph is played."""

LIVE_SECONDS = 10.0
"""For how long a live camera is played."""

_IMAGE_SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


class SourceError(Exception):
    """There is nothing to play; the message says what was looked for and where."""


@dataclass(frozen=True)
class Source:
    """Frames to play.

    name: what a person calls it.
    rate: frames per second.
    live: whether it waits for a camera: then it plays once only and sets the pace itself.
    stills: whether it consists of photographs, each played for a while, one after the other.
    frames: begins to play; (H, W, 3) uint8 RGB each.  A photograph is the same array each time.
        Raises SourceError when something turns out to be unreadable.
    """

    name: str
    rate: float
    live: bool
    stills: bool
    frames: Callable[[], Iterator[np.ndarray]]


def open_source(text: str, rate: float | None = None, seconds: float | None = None) -> Source:
    """Find out what the user means.

    text: path of an image, a folder of images, a video or a stack of frames (``.npy`` with
        (N, H, W, 3) uint8 RGB), or the number of a camera of this machine.  The images of a folder
        are a recording if all have one size, otherwise photographs.
    rate: frames per second; by default a video's own, `STILL_RATE` of photographs, otherwise
        `RATE`.
    seconds: how much to play; by default all of a recording, `STILL_SECONDS` of each photograph
        and `LIVE_SECONDS` of a live camera, which plays on and on for ``math.inf``.

    Raises:
        SourceError: nothing there, or nothing that can be read.
    """
    path = Path(text)
    if path.is_dir():
        return _folder(path, rate, seconds)
    if path.is_file():
        if path.suffix.lower() == ".npy":
            return _stack(path, rate or RATE, seconds)
        if path.suffix.lower() in _IMAGE_SUFFIXES:
            return _stills([path], rate or STILL_RATE, seconds)
        return _video(path, rate, seconds)
    if text.isdecimal():
        return _live(int(text), rate or RATE, seconds)
    raise SourceError(
        f"'{text}' does not exist; give an image, a folder, a video or a camera number"
    )


def read_image(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB, turned upright as its Exif data say.

    Raises:
        SourceError: it is not an image that OpenCV reads.
    """
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise SourceError(f"{path} cannot be read as an image")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def _folder(path: Path, rate: float | None, seconds: float | None) -> Source:
    images = sorted(p for p in path.iterdir() if p.suffix.lower() in _IMAGE_SUFFIXES)
    if not images:
        kinds = ", ".join(sorted(_IMAGE_SUFFIXES))
        raise SourceError(f"the folder {path} holds no images ({kinds})")
    shapes = {read_image(image).shape for image in images}
    if len(images) == 1 or len(shapes) > 1:
        return _stills(images, rate or STILL_RATE, seconds)
    chosen = rate or RATE

    def play() -> Iterator[np.ndarray]:
        return itertools.islice(map(read_image, images), _count(chosen, seconds))

    return Source(path.name, chosen, live=False, stills=False, frames=play)


def _stills(images: list[Path], rate: float, seconds: float | None) -> Source:
    for image in images:
        read_image(image)
    count = round(rate * (STILL_SECONDS if seconds is None else seconds))

    def play() -> Iterator[np.ndarray]:
        for image in images:
            yield from itertools.repeat(read_image(image), max(1, count))

    name = images[0].name if len(images) == 1 else images[0].parent.name
    return Source(name, rate, live=False, stills=True, frames=play)


def _stack(path: Path, rate: float, seconds: float | None) -> Source:
    try:
        frames = np.load(path, mmap_mode="r")
    except (ValueError, EOFError) as error:
        raise SourceError(f"{path} cannot be read: {error}") from error
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
    readable, _ = capture.read()
    capture.release()
    if not readable:
        raise SourceError(f"{path} cannot be read as a video, nor is it an image")
    if not 1.0 <= own_rate <= 240.0:  # what some containers say when they do not know
        own_rate = RATE
    chosen = rate or own_rate

    def play() -> Iterator[np.ndarray]:
        return itertools.islice(_captured(str(path)), _count(chosen, seconds))

    return Source(path.name, chosen, live=False, stills=False, frames=play)


def _live(number: int, rate: float, seconds: float | None) -> Source:
    if not Path(f"/dev/video{number}").exists():
        raise SourceError(f"there is no camera {number} (/dev/video{number} does not exist)")

    def play() -> Iterator[np.ndarray]:
        count = _count(rate, LIVE_SECONDS if seconds is None else seconds)
        return itertools.islice(_captured(number), count)

    return Source(f"camera {number}", rate, live=True, stills=False, frames=play)


def _captured(what: str | int) -> Iterator[np.ndarray]:
    capture = cv2.VideoCapture(what)
    if not capture.isOpened():
        raise SourceError(f"camera {what} cannot be opened; another program may be using it")
    try:
        while True:
            there, bgr = capture.read()
            if not there:
                return
            yield cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    finally:
        capture.release()


def _count(rate: float, seconds: float | None) -> int | None:
    """How many frames to play; None for all."""
    if seconds is None or math.isinf(seconds):
        return None
    return max(1, round(rate * seconds))
