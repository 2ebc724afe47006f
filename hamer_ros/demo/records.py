"""Plain data of the frames that the camera sent and the client received, and their files."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hamer_ros.hands import Handedness


@dataclass(frozen=True)
class SentFrame:
    """One image that the camera published; stamp in nanoseconds."""

    index: int
    stamp: int


@dataclass(frozen=True)
class SeenHand:
    """One hand of a message, as a client reads it.

    joints: (21, 3) metres in the camera frame.
    vertices: (778, 3) metres in the camera frame.
    keypoints: (21, 2) pixels.
    wrist: (7,) x, y, z in metres and the quaternion x, y, z, w.
    finite: all numbers of the message are finite.
    """

    handedness: Handedness
    track_id: int
    score: float
    joints: np.ndarray
    vertices: np.ndarray
    keypoints: np.ndarray
    wrist: np.ndarray
    finite: bool


@dataclass(frozen=True)
class SeenFrame:
    """The hands of one image.

    stamp: that of the image, nanoseconds.
    received: time of arrival, nanoseconds.
    """

    stamp: int
    received: int
    hands: tuple[SeenHand, ...]

    @property
    def latency(self) -> float:
        """The seconds from the image's stamp until a client had its hands."""
        return 1e-9 * (self.received - self.stamp)


@dataclass(frozen=True)
class SeenTransform:
    """A transform of /tf.

    stamp: nanoseconds.
    translation: (3,) metres.
    rotation: (4,) quaternion x, y, z, w.
    """

    stamp: int
    parent: str
    child: str
    translation: np.ndarray
    rotation: np.ndarray


@dataclass(frozen=True)
class Recording:
    """Everything that the client received.

    estimator: name in the messages; empty when none came.
    faces: handedness -> (F, 3) triangles of the topology; empty when none came.
    overlay: (H, W, 3) uint8 RGB picture that the node published, or None.
    markers: number of markers in one message, or None when none came.
    """

    estimator: str
    frames: tuple[SeenFrame, ...]
    transforms: tuple[SeenTransform, ...]
    faces: dict[Handedness, np.ndarray]
    overlay: np.ndarray | None
    markers: int | None


def write_recording(path: Path, recording: Recording) -> None:
    """Write a recording to a file for `read_recording`."""
    path.write_bytes(pickle.dumps(recording))


def read_recording(path: Path) -> Recording:
    """Return the recording of a file that this program's own client has just written."""
    return pickle.loads(path.read_bytes())


def sent_line(frame: SentFrame) -> str:
    """Return one line of the camera's log."""
    return json.dumps({"index": frame.index, "stamp": frame.stamp}) + "\n"


def read_sent(lines: Iterable[str]) -> tuple[SentFrame, ...]:
    """Return the frames of the camera's log, one JSON object a line."""
    return tuple(SentFrame(**json.loads(line)) for line in lines)
