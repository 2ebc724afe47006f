"""What the node tells /diagnostics once a second."""

from __future__ import annotations

import math
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

WINDOW = 150
"""Frames over which latency and stage times are summed up."""


@dataclass(frozen=True)
class Processed:
    """One frame that went all the way: stage times and image-to-message latency in seconds."""

    hands: int
    latency: float
    stages: dict[str, float]


@dataclass(frozen=True)
class Rates:
    """Images received and processed, per second."""

    received: float
    processed: float


class Statistics:
    """Counts what happens to frames; any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Start again from zero."""
        with self._lock:
            self._received = 0
            self._processed = 0
            self._dropped: Counter[str] = Counter()
            self._unplaced: Counter[str] = Counter()
            self._without_depth: Counter[str] = Counter()
            self._recent: deque[Processed] = deque(maxlen=WINDOW)
            self._rate_mark = (0.0, 0, 0)

    def received(self) -> None:
        """An image message has come."""
        with self._lock:
            self._received += 1

    def dropped(self, reason: str) -> None:
        """An image was not processed; reason is a short constant text."""
        with self._lock:
            self._dropped[reason] += 1

    def unplaced(self, reason: str) -> None:
        """A hand was found, but not where it is."""
        with self._lock:
            self._unplaced[reason] += 1

    def without_depth(self, reason: str) -> None:
        """An image was processed without the depth image that was asked for."""
        with self._lock:
            self._without_depth[reason] += 1

    def processed(self, frame: Processed) -> None:
        """An image was processed and its hands were published."""
        with self._lock:
            self._processed += 1
            self._recent.append(frame)

    def rates(self, now: float) -> Rates:
        """What has happened per second since this was last asked; now is a monotonic time."""
        with self._lock:
            then, received, processed = self._rate_mark
            self._rate_mark = (now, self._received, self._processed)
            seconds = now - then
            if seconds <= 0.0:
                return Rates(0.0, 0.0)
            return Rates(
                (self._received - received) / seconds, (self._processed - processed) / seconds
            )

    def values(self) -> dict[str, str]:
        """Everything as texts."""
        with self._lock:
            values = {
                "frames received": str(self._received),
                "frames processed": str(self._processed),
            }
            counters = {
                "dropped": self._dropped,
                "hands not placed": self._unplaced,
                "images without depth": self._without_depth,
            }
            for what, counter in counters.items():
                for reason, count in sorted(counter.items()):
                    values[f"{what}: {reason}"] = str(count)
            if self._recent:
                latency = [frame.latency for frame in self._recent]
                values["hands in the last frame"] = str(self._recent[-1].hands)
                values["latency p50 (ms)"] = f"{1e3 * np.percentile(latency, 50):.1f}"
                values["latency p99 (ms)"] = f"{1e3 * np.percentile(latency, 99):.1f}"
                for stage in self._recent[-1].stages:
                    times = [frame.stages.get(stage, 0.0) for frame in self._recent]
                    values[f"{stage} p50 (ms)"] = f"{1e3 * np.percentile(times, 50):.1f}"
            return values


@dataclass(frozen=True)
class Situation:
    """What the node's health is told from.

    state: label of the lifecycle state.
    trouble: what is wrong with the models, in words; empty while all is well.
    enabled: whether ~/enable lets images pass.
    topic: of the images.
    silence, silence_after: seconds without an image, and how many are too many.
    why_silent: asks the graph; only when it is silent, for it takes a while.
    rates: of the images since the last time.
    """

    state: str
    trouble: str = ""
    enabled: bool = True
    topic: str = ""
    silence: float = 0.0
    silence_after: float = math.inf
    why_silent: Callable[[], str] = str
    rates: Rates = Rates(0.0, 0.0)


def health(now: Situation) -> tuple[bytes, str]:
    """Level and text of the node's status: an ERROR is where hands are wanted and none can come."""
    if now.trouble:
        return DiagnosticStatus.ERROR, now.trouble
    if now.state != "active":
        return DiagnosticStatus.WARN, f"not active, but {now.state}"
    if now.silence > now.silence_after:
        text = f"no images on '{now.topic}' for {now.silence:.0f} s: {now.why_silent()}"
        return DiagnosticStatus.ERROR, text
    if not now.enabled:
        return DiagnosticStatus.WARN, "switched off by ~/enable"
    return _flow(now)


def _flow(now: Situation) -> tuple[bytes, str]:
    if now.rates.received == 0.0:
        return DiagnosticStatus.WARN, f"no images on '{now.topic}' for {now.silence:.1f} s"
    if now.rates.processed == 0.0:
        return DiagnosticStatus.ERROR, "images arrive but none can be processed; see the log"
    return DiagnosticStatus.OK, f"{now.rates.processed:.1f} frames/s"


def status(name: str, level: bytes, message: str, values: dict[str, str]) -> DiagnosticStatus:
    """One DiagnosticStatus."""
    pairs = [KeyValue(key=key, value=value) for key, value in values.items()]
    return DiagnosticStatus(level=level, name=name, message=message, hardware_id="", values=pairs)
