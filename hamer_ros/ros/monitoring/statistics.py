"""Counts of what became of the images, and the times of the steps."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass

import numpy as np

WINDOW = 150
"""Number of frames over which latency and times of the steps are summarised."""

RATE_WINDOW = 5.0
"""Seconds over which frames are counted for the rate: an estimator may take seconds for one."""

OVERTAKEN = "newer image came"
UNWANTED = "not wanted any more"
DROPPED_BY_POLICY = frozenset({OVERTAKEN, UNWANTED})
"""Reasons for which images are left out in normal operation."""


@dataclass(frozen=True)
class Processed:
    """One frame that was processed to the end.

    latency: seconds from the image's stamp to its messages; from its arrival where the stamp is too
        old to tell.
    steps: seconds of each.
    """

    hands: int
    latency: float
    steps: dict[str, float]


@dataclass(frozen=True)
class Flow:
    """The rate of images, and whether all of them are refused.

    received: number of images since the node was activated.
    rate: number of images processed per second.
    is_refused: images were dropped since the last call, for other reasons than those of
        `DROPPED_BY_POLICY`, and none was processed.
    why_refused: the reason of the last one, with what was wrong.
    """

    received: int = 0
    rate: float = 0.0
    is_refused: bool = False
    why_refused: str = ""


@dataclass(frozen=True)
class _Snapshot:
    """The counters at one moment, seconds of a monotonic clock."""

    time: float
    processed: int
    refused: int


class Statistics:
    """Counts what happens to frames; any thread may call it.

    now: a monotonic time in seconds, here and below.
    """

    def __init__(self, now: float) -> None:
        self._lock = threading.Lock()
        self.clear(now)

    def clear(self, now: float) -> None:
        """Reset all counters."""
        with self._lock:
            self._received = 0
            self._processed = 0
            self._dropped: Counter[str] = Counter()
            self._unplaced: Counter[str] = Counter()
            self._without_depth: Counter[str] = Counter()
            self._unmeasured: Counter[str] = Counter()
            self._without_boxes = 0
            self._why_refused = ""
            self._recent: deque[Processed] = deque(maxlen=WINDOW)
            self._snapshots = deque([_Snapshot(now, 0, 0)])

    @property
    def is_untouched(self) -> bool:
        """True if no image has come yet."""
        with self._lock:
            return self._received == 0

    def received(self) -> None:
        """Count an image message that has come."""
        with self._lock:
            self._received += 1

    def dropped(self, reason: str, detail: str = "", count: int = 1) -> None:
        """Count images that were not processed.

        reason: a short constant text.
        detail: what was wrong.
        """
        with self._lock:
            self._dropped[reason] += count
            if reason not in DROPPED_BY_POLICY:
                self._why_refused = f"{reason}: {detail}" if detail else reason

    def unplaced(self, reason: str) -> None:
        """Count a hand that was found but not placed."""
        with self._lock:
            self._unplaced[reason] += 1

    def without_depth(self, reason: str) -> None:
        """Count an image that was processed without the depth image that was asked for."""
        with self._lock:
            self._without_depth[reason] += 1

    def unmeasured(self, reason: str) -> None:
        """Count a placed hand whose size the depth image did not give."""
        with self._lock:
            self._unmeasured[reason] += 1

    def without_boxes(self) -> None:
        """Count an image that was processed without the boxes that were asked for."""
        with self._lock:
            self._without_boxes += 1

    def processed(self, frame: Processed) -> None:
        """Count an image that was processed and whose hands were published."""
        with self._lock:
            self._processed += 1
            self._recent.append(frame)

    def flow(self, now: float) -> Flow:
        """Return what has become of the images since the last call, and the rate."""
        with self._lock:
            last = self._snapshots[-1]
            refused = sum(n for why, n in self._dropped.items() if why not in DROPPED_BY_POLICY)
            while len(self._snapshots) > 1 and self._snapshots[1].time <= now - RATE_WINDOW:
                self._snapshots.popleft()
            first = self._snapshots[0]
            self._snapshots.append(_Snapshot(now, self._processed, refused))
            seconds = now - first.time
            return Flow(
                self._received,
                (self._processed - first.processed) / seconds if seconds > 0 else 0.0,
                refused > last.refused and self._processed == last.processed,
                self._why_refused,
            )

    def values(self) -> dict[str, str]:
        """Return all counters and times as texts."""
        with self._lock:
            values = {
                "frames received": str(self._received),
                "frames processed": str(self._processed),
            }
            counters = {
                "dropped": self._dropped,
                "hands not placed": self._unplaced,
                "images without depth": self._without_depth,
                "hands not measured by depth": self._unmeasured,
            }
            for what, counter in counters.items():
                for reason, count in sorted(counter.items()):
                    values[f"{what}: {reason}"] = str(count)
            if self._without_boxes:
                values["images without boxes"] = str(self._without_boxes)
            if self._recent:
                latency = [frame.latency for frame in self._recent]
                values["hands in the last frame"] = str(self._recent[-1].hands)
                values["latency p50 (ms)"] = f"{1e3 * np.percentile(latency, 50):.1f}"
                values["latency p99 (ms)"] = f"{1e3 * np.percentile(latency, 99):.1f}"
                for step in self._recent[-1].steps:
                    times = [frame.steps.get(step, 0.0) for frame in self._recent]
                    values[f"{step} p50 (ms)"] = f"{1e3 * np.percentile(times, 50):.1f}"
            return values
