"""The mathematics of the soak: trends, latencies, and counts of what became of every frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.soak.logs import NodeStatus

DROP_POLICY = "newer image came"
"""The one reason for which the node may drop a sound image."""


@dataclass(frozen=True)
class Trend:
    """A straight line through values over time.

    slope: per unit of time.
    error: standard error of the slope.
    start, end: the line's values at the first and the last time.
    """

    slope: float
    error: float
    start: float
    end: float


def trend(times: np.ndarray, values: np.ndarray) -> Trend:
    """Fit a line by least squares; (N,) times and values, N >= 3.

    Memory grows in steps, so neighbouring residuals are alike and the textbook's error of the
    slope is too small.  As in Santer et al. 2000 (J. Geophys. Res. 105, eqs. 4 to 6) the number of
    values is replaced by that of independent ones, n_e = n (1 - r) / (1 + r), r being the lag-1
    autocorrelation of the residuals.

    Raises:
        ValueError: fewer than three values.
    """
    n = len(values)
    if n < 3:
        raise ValueError(f"a trend needs three values, not {n}")
    centred = times - times.mean()
    spread = float(centred @ centred)
    slope = float(centred @ (values - values.mean())) / spread
    line = values.mean() + slope * centred
    residuals = values - line
    squares = float(residuals @ residuals)
    if squares <= 1e-18 * float(values @ values):  # a straight line but for rounding
        error = 0.0
    else:
        r = min(max(float(residuals[1:] @ residuals[:-1]) / squares, 0.0), 1.0)
        independent = n * (1 - r) / (1 + r)
        free = max(independent - 2, 1e-9)
        error = float(np.sqrt(squares / free / spread))
    return Trend(slope, error, float(line[0]), float(line[-1]))


def growth(values: Sequence[int]) -> int:
    """Return the growth of a count: its maximum in the last third less that in the first tenth.

    The first tenth is for what comes and goes; a third would hide what grows in it and stays.
    """
    third, tenth = max(1, len(values) // 3), max(1, len(values) // 10)
    return max(values[-third:]) - max(values[:tenth])


@dataclass(frozen=True)
class Window:
    """Latencies of the arrays of some images.

    minute: end of the window.
    p50, p99: milliseconds.
    """

    minute: float
    p50: float
    p99: float


def windows(arrived: np.ndarray, begin: int, seconds: float) -> list[Window]:
    """Return the latency from an image's stamp to the arrival of its hands, in windows of time.

    arrived: (N, 2) stamps and arrivals, nanoseconds.
    begin: that of the first window, nanoseconds.
    """
    if not len(arrived):
        return []
    number = (arrived[:, 0] - begin) // round(1e9 * seconds)
    latency = 1e-6 * (arrived[:, 1] - arrived[:, 0])
    whole = int((arrived[-1, 0] - begin) // round(1e9 * seconds))
    out = []
    for k in range(whole):
        own = latency[number == k]
        if len(own):
            p50, p99 = np.percentile(own, [50, 99])
            out.append(Window((k + 1) * seconds / 60, float(p50), float(p99)))
    return out


def drift(values: Sequence[float]) -> float:
    """Return late over early: the median of the last third of positive values over the first's."""
    third = max(1, len(values) // 3)
    return float(np.median(values[-third:]) / np.median(values[:third]))


@dataclass(frozen=True)
class FrameCounts:
    """Frames counted by camera, node and client.

    sent: by the camera.
    received, processed: by the node.
    dropped: by the node, by reason.
    arrived: by the client.
    """

    sent: int
    received: int
    processed: int
    dropped: dict[str, int]
    arrived: int

    def since(self, earlier: FrameCounts) -> FrameCounts:
        """Return what has been added to earlier counts."""
        dropped = {
            reason: count - earlier.dropped.get(reason, 0) for reason, count in self.dropped.items()
        }
        return FrameCounts(
            self.sent - earlier.sent,
            self.received - earlier.received,
            self.processed - earlier.processed,
            {reason: count for reason, count in dropped.items() if count},
            self.arrived - earlier.arrived,
        )

    @property
    def is_settled(self) -> bool:
        """True if the node holds no frame."""
        return self.received == self.processed + sum(self.dropped.values())

    @property
    def dropped_by_policy(self) -> int:
        """The number of frames that gave way to a newer one."""
        return self.dropped.get(DROP_POLICY, 0)

    def losses(self) -> dict[str, int]:
        """Return place -> number of frames lost there other than by the drop policy.

        It is negative where more came out than went in, which is as wrong.
        """
        places = {
            "between camera and node": self.sent - self.received,
            "in the node, untold": self.received - self.processed - sum(self.dropped.values()),
            "between node and client": self.processed - self.arrived,
        }
        places |= {
            f"in the node, {reason}": count
            for reason, count in self.dropped.items()
            if reason != DROP_POLICY
        }
        return {place: count for place, count in places.items() if count}


def count_frames(sent: int, status: NodeStatus, arrived: int) -> FrameCounts:
    """Return the counts of camera and client together with those of the node's last status."""
    prefix = "dropped: "
    return FrameCounts(
        sent,
        int(status.values["frames received"]),
        int(status.values["frames processed"]),
        {
            key.removeprefix(prefix): int(value)
            for key, value in status.values.items()
            if key.startswith(prefix)
        },
        arrived,
    )


@dataclass(frozen=True)
class Load:
    """The load of the node while hands are in view.

    cores: processor seconds per second.
    processed: share of the frames that were not dropped.
    """

    cores: float
    processed: float

    @property
    def cores_for_all(self) -> float:
        """The cores that would be busy had no frame been dropped: each would have cost the same."""
        return self.cores / self.processed


def load(
    sent: np.ndarray,
    shows: np.ndarray,
    arrived: np.ndarray,
    cpu: tuple[np.ndarray, np.ndarray],
) -> Load:
    """Return the load of the node during the frames that count.

    sent: (N,) stamps of frames at a steady rate, nanoseconds.
    shows: (N,) True for each frame that counts.
    arrived: (M,) stamps of the frames that were processed.
    cpu: (S,) times in nanoseconds and (S,) processor seconds until then; between them the node is
        taken to be evenly busy.
    """
    begins, ends = stretches(shows)
    used = wall = 0.0
    for begin, end in zip(begins, ends, strict=True):
        if end == len(sent):  # cut off, its end unknown
            end -= 1  # noqa: PLW2901
        edges = sent[[begin, end]].astype(float)
        before, after = np.interp(edges, *cpu)
        used += after - before
        wall += 1e-9 * (edges[1] - edges[0])
    done = np.isin(sent[shows], arrived)
    return Load(used / wall, float(done.mean()))


def stretches(flags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices where runs of True begin, and those after their ends."""
    padded = np.concatenate([[False], flags, [False]]).astype(int)
    steps = np.diff(padded)
    return np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
