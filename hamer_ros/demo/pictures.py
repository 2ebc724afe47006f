"""The demo's picture files: received hands, a video, a contact sheet, a chart of errors."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path

import cv2
import numpy as np

from hamer_ros.demo.accuracy import FrameErrors
from hamer_ros.demo.chart import error_chart
from hamer_ros.demo.drawing import canvas, put_text, scaled, shorten
from hamer_ros.demo.frame_stack import path_in_errors
from hamer_ros.demo.intrinsics import CameraOfSize
from hamer_ros.demo.page import MARGIN, Page, draw_page
from hamer_ros.demo.records import Recording
from hamer_ros.demo.report import MatchedFrame
from hamer_ros.demo.sources import Source
from hamer_ros.rendering.clip import HandTruth

SELECTED = 6
"""Number of frames of a recording that get a picture of their own."""

_MAX_CELLS = 4
_BATCH = 32
_TILE_WIDTH = 720
_CODECS = (("VP80", "webm"), ("mp4v", "mp4"))
"""Codecs of the video in order of preference; browsers play the first."""
_MIN_FREE_BYTES = 100_000
"""Free bytes of a disk below which it counts as full."""


@dataclass(frozen=True)
class PictureContent:
    """The data that the pictures show.

    source: plays the same frames once more.
    frames: the result of each of them.
    truths, errors: by index of the frame; None where there is no truth.
    """

    source: Source
    camera_of_size: CameraOfSize
    frames: Sequence[MatchedFrame]
    recording: Recording
    truths: Sequence[Sequence[HandTruth]] | None
    errors: Mapping[int, FrameErrors] | None


def write_pictures(
    out: Path, content: PictureContent, workers: Executor, progress: Callable[[int], object]
) -> list[str]:
    """Write all pictures into the folder, and return a line about each file.

    progress: called with the number of frames that have been drawn.

    They replace those of an earlier run.
    """
    singles = out / "frames"
    singles.mkdir(parents=True, exist_ok=True)
    written = ("contact_sheet.jpg", "errors.png", "node_overlay.jpg", "hands.webm", "hands.mp4")
    for old in [*singles.glob("*.jpg"), *(out / name for name in written)]:
        old.unlink(missing_ok=True)
    if not content.frames:
        return []
    draw = _draw_stills if content.source.stills else _draw_recording
    chosen, notes = draw(out, content, workers, progress)
    for name, picture in chosen.items():
        _write(singles / f"{name}.jpg", picture)
    _write(out / "contact_sheet.jpg", contact_sheet(list(chosen.values()), content.source.name))
    notes += [
        f"{out / 'contact_sheet.jpg'}  some frames at a glance",
        f"{singles}/  the same, one by one",
    ]
    if content.recording.overlay is not None:
        _write(out / "node_overlay.jpg", content.recording.overlay)
        notes.append(f"{out / 'node_overlay.jpg'}  what the node itself draws on ~/overlay")
    if content.errors is not None:
        _write(out / "errors.png", error_chart(content.errors, content.source.rate))
        notes.append(f"{out / 'errors.png'}  the error of each hand over time")
    return notes


def contact_sheet(pages: Sequence[np.ndarray], name: str) -> np.ndarray:
    """Return a picture of pages side by side, two in a row, under a title."""
    tiles = [scaled(page, _TILE_WIDTH / page.shape[1]) for page in pages]
    rows = [tiles[i : i + 2] for i in range(0, len(tiles), 2)]
    heights = [max(tile.shape[0] for tile in row) for row in rows]
    columns = min(2, len(tiles))
    out = canvas(columns * _TILE_WIDTH, 48 + sum(heights))
    title = shorten(f"Hands that a client received: {name}", 0.7, out.shape[1] - 2 * MARGIN)
    put_text(out, title, (MARGIN, 28), 0.7)
    top = 48
    for row, height in zip(rows, heights, strict=True):
        for column, tile in enumerate(row):
            left = column * _TILE_WIDTH
            out[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
        top += height
    return out


class VideoFile:
    """A video that is opened with its first frame, in the first codec that works."""

    def __init__(self, folder: Path, name: str, rate: float) -> None:
        self._folder, self._name, self._rate = folder, name, rate
        self._writer: cv2.VideoWriter | None = None
        self.path: Path | None = None

    def add(self, rgb: np.ndarray) -> None:
        """Write a frame; all have the size of the first."""
        if self._writer is None:
            self._begin(rgb.shape[1] // 2 * 2, rgb.shape[0] // 2 * 2)
        if self._writer is not None:
            height, width = rgb.shape[0] // 2 * 2, rgb.shape[1] // 2 * 2
            self._writer.write(cv2.cvtColor(rgb[:height, :width], cv2.COLOR_RGB2BGR))

    def close(self) -> str:
        """Finish the file and return a line about it.

        Raises:
            OSError: it did not fit on the disk, which OpenCV does not report.
        """
        if self._writer is not None:
            self._writer.release()
        if self.path is not None and shutil.disk_usage(self.path.parent).free < _MIN_FREE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        if self.path is None or not _is_readable(self.path):
            return "no video: this OpenCV has no encoder for it"
        if self.path.suffix != f".{_CODECS[0][1]}":
            return (
                f"{self.path}  the video; browsers may not play it, for OpenCV has no VP8 encoder"
            )
        return f"{self.path}  the video"

    def _begin(self, width: int, height: int) -> None:
        for codec, suffix in _CODECS:
            path = self._folder / f"{self._name}.{suffix}"
            fourcc = cv2.VideoWriter.fourcc(*codec)
            with _silenced_stderr():
                writer = cv2.VideoWriter(str(path), fourcc, self._rate, (width, height))
            if writer.isOpened():
                self._writer, self.path = writer, path
                return


def _draw_recording(
    out: Path, content: PictureContent, workers: Executor, progress: Callable[[int], object]
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Draw every frame into a video; returns name -> picture of some, and a line about it."""
    indices = _selected(content.frames)
    chosen = {}
    video = VideoFile(out, "hands", content.source.rate)
    numbered = enumerate(_pages(content))
    while batch := list(islice(numbered, _BATCH)):
        pictures = workers.map(draw_page, [page for _, page in batch], chunksize=2)
        for (index, _), picture in zip(batch, pictures, strict=True):
            video.add(picture)
            if index in indices:
                chosen[f"frame_{index:04d}"] = picture
            progress(1)
    return chosen, [video.close()]


def _draw_stills(
    _: Path, content: PictureContent, workers: Executor, progress: Callable[[int], object]
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Draw the last result of each photograph; returns name -> picture, and notes."""
    last_pages, unanswered = [], 0
    for _key, group in groupby(
        zip(_pages(content), content.frames, strict=False), key=lambda pair: id(pair[0].rgb)
    ):
        pairs = list(group)
        answered = [page for page, frame in pairs if frame.seen is not None]
        last_pages.append(answered[-1] if answered else pairs[-1][0])
        unanswered += not answered
    chosen = {}
    for number, picture in enumerate(workers.map(draw_page, last_pages), 1):
        chosen[f"photo_{number:02d}"] = picture
        progress(1)
    if not unanswered:
        return chosen, []
    return chosen, [
        f"{unanswered} of {len(last_pages)} photographs came to no answer in time: give each more "
        "with --seconds"
    ]


def _pages(content: PictureContent) -> Iterator[Page]:
    counts = [0 if frame.seen is None else len(frame.seen.hands) for frame in content.frames]
    if not content.source.stills:
        counts = [max(counts)] * len(counts)
    for frame, count, rgb in zip(content.frames, counts, content.source.frames(), strict=False):
        truth = () if content.truths is None else content.truths[frame.index]
        yield Page(
            rgb=rgb,
            camera=content.camera_of_size(rgb.shape[1], rgb.shape[0]),
            hands=None if frame.seen is None else frame.seen.hands,
            faces=content.recording.faces,
            truth=tuple(hand.keypoints for hand in truth),
            cells=min(max(count, 1), _MAX_CELLS),
            caption=_caption(content, frame),
        )


def _caption(content: PictureContent, frame: MatchedFrame) -> str:
    parts = [f"{frame.index / content.source.rate:.2f} s"]
    if frame.seen is None:
        return f"{parts[0]}   dropped"
    parts.append(f"latency {1e3 * frame.seen.latency:.0f} ms")
    if content.errors is not None:
        found = content.errors[frame.index].found
        errors = " and ".join(f"{error.pa_mpjpe:.1f}" for error in found) or "-"
        parts.append(f"PA-MPJPE {errors} mm")
    return "   ".join(parts)


def _selected(frames: Sequence[MatchedFrame]) -> set[int]:
    """Return indices of frames spread over the recording, of those with most hands."""
    ranks = [-1 if frame.seen is None else len(frame.seen.hands) for frame in frames]
    best = [frame.index for frame, rank in zip(frames, ranks, strict=True) if rank == max(ranks)]
    places = np.linspace(0, len(best) - 1, min(SELECTED, len(best)))
    return {best[round(place)] for place in places}


def _write(path: Path, rgb: np.ndarray) -> None:
    quality = [cv2.IMWRITE_JPEG_QUALITY, 92]
    _, data = cv2.imencode(path.suffix, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), quality)
    with path_in_errors(path):
        path.write_bytes(data.tobytes())  # imwrite does not report a full disk


def _is_readable(path: Path) -> bool:
    capture = cv2.VideoCapture(str(path))
    readable, _ = capture.read()
    capture.release()
    return readable


@contextmanager
def _silenced_stderr() -> Iterator[None]:
    """Keep FFmpeg's messages about codecs off the terminal; OpenCV cannot silence all of them."""
    stderr = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(stderr, 2)
        with suppress(OSError):
            os.close(nowhere)
            os.close(stderr)
