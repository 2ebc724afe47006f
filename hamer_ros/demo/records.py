"""What the camera sent and what the client saw, as plain data and as files."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hamer_ros.hands import Side


@dataclass(frozen=True)
class SentFrame:
    """One image that the camera published; stamp in nanoseconds."""

    index: int
    stamp: int


@dataclass(frozen=True)
class SeenHand:
    """One hand of a message, as a client reads it.

    joints: (21, 3), vertices: (778, 3) metres in the camera frame.
    keypoints: (21, 2) pixels.
    wrist: (7,) x, y, z in metres and the quaternion x, y, z, w.
    finite: whether all numbers of the message are.
    """

    side: Side
    track_id: int
    score: float
    joints: np.ndarray
    vertices: np.ndarray
    keypoints: np.ndarray
    wrist: np.ndarray
    finite: bool


@dataclass(frozen=True)
class SeenFrame:
    """The hands of one image: the image's stamp and when the message came, nanoseconds."""

    stamp: int
    received: int
    hands: tuple[SeenHand, ...]

    @property
    def latency(self) -> float:
        """Seconds from the image's stamp until a client had its hands."""
        return 1e-9 * (self.received - self.stamp)


@dataclass(frozen=True)
class SeenTransform:
    """A transform of /tf.

    stamp: nanoseconds.  translation: (3,) metres.  rotation: (4,) quaternion x, y, z, w.
    """

    stamp: int
    parent: str
    child: str
    translation: np.ndarray
    rotation: np.ndarray


@dataclass(frozen=True)
class Recording:
    """All that the client saw.

    estimator: name in the messages; empty when none came.
    faces: side -> (F, 3) triangles of the topology; empty when none came.
    overlay: (H, W, 3) uint8 RGB picture that the node published, or None.
    markers: how many markers one message held, or None when none came.
    """

    estimator: str
    frames: tuple[SeenFrame, ...]
    transforms: tuple[SeenTransform, ...]
    faces: dict[Side, np.ndarray]
    overlay: np.ndarray | None
    markers: int | None


def write_recording(path: Path, recording: Recording) -> None:
    """Store what the client saw for `read_recording`."""
    path.write_bytes(pickle.dumps(recording))


def read_recording(path: Path) -> Recording:
    """Read back what this program's own client has just written."""
    return pickle.loads(path.read_bytes())


def sent_line(frame: SentFrame) -> str:
    """One line of the camera's log."""
    return json.dumps({"index": frame.index, "stamp": frame.stamp}) + "\n"


def read_sent(lines: Iterable[str]) -> tuple[SentFrame, ...]:
    """The camera's log, one JSON object a line."""
    return tuple(SentFrame(**json.loads(line)) for line in lines)
