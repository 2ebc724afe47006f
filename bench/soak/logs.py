"""The logs of the soak's processes, which can be read while they are written."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

ROW = 2
"""Number of 64-bit integers in a row of a log: a stamp, and one more value."""

OK, ERROR = 0, 2
"""Levels of diagnostic_msgs/DiagnosticStatus."""


@dataclass(frozen=True)
class NodeStatus:
    """The node's status on /diagnostics.

    time: arrival, nanoseconds.
    level: that of diagnostic_msgs/DiagnosticStatus.
    text: message of the status.
    values: key-value pairs of the status.
    """

    time: int
    level: int
    text: str
    values: dict[str, str]


def write_row(log: BinaryIO, stamp: int, other: int) -> None:
    """Append a row in one write, so that no reader sees a part of it."""
    log.write(np.array([stamp, other], np.int64).tobytes())


def read_rows(path: Path, last: int | None = None) -> np.ndarray:
    """Return (N, 2) int64 of a log, or of its last rows; none while there is no file."""
    if not path.exists():
        return np.empty((0, ROW), np.int64)
    size = 8 * ROW
    count = path.stat().st_size // size
    skipped = 0 if last is None else max(0, count - last)
    rows = np.fromfile(path, np.int64, ROW * (count - skipped), offset=size * skipped)
    return rows.reshape(-1, ROW)


def status_line(status: NodeStatus) -> str:
    """Return one line of the log of diagnostics."""
    return json.dumps(asdict(status)) + "\n"


def read_statuses(path: Path) -> list[NodeStatus]:
    """Return the log of diagnostics, but for a line that is being written."""
    if not path.exists():
        return []
    lines = path.read_text().split("\n")[:-1]
    return [NodeStatus(**json.loads(line)) for line in lines]
