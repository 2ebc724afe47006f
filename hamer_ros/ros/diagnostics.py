"""What the node tells /diagnostics once a second."""

from __future__ import annotations

import math
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

WINDOW = 150
"""Frames over which latency and stage times are summed up."""

RATE_WINDOW = 5.0
"""Seconds over which frames are counted for the rate: an estimator may take seconds for one."""

LONGEST_FRAME = 10.0
"""Seconds that one image may take; what takes longer has probably come to a stop."""

OVERTAKEN = "newer image came"
UNWANTED = "not wanted any more"
DROPPED_BY_POLICY = frozenset({OVERTAKEN, UNWANTED})
"""Reasons for which images are left out while all is well."""


@dataclass(frozen=True)
class Processed:
    """One frame that went all the way: stage times and image-to-message latency in seconds."""

    hands: int
    latency: float
    stages: dict[str, float]


@dataclass(frozen=True)
class Flow:
    """What becomes of the images.

    received: how many have come since the node was activated.
    rate: how many are processed per second.
    is_refused: whether images were dropped since the last time, for other reasons than those of
        `DROPPED_BY_POLICY`, and none was processed.
    """

    received: int = 0
    rate: float = 0.0
    is_refused: bool = False


@dataclass(frozen=True)
class _Mark:
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
        """Start again from zero."""
        with self._lock:
            self._received = 0
            self._processed = 0
            self._dropped: Counter[str] = Counter()
            self._unplaced: Counter[str] = Counter()
            self._without_depth: Counter[str] = Counter()
            self._recent: deque[Processed] = deque(maxlen=WINDOW)
            self._marks = deque([_Mark(now, 0, 0)])

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

    def flow(self, now: float) -> Flow:
        """What has become of the images since this was last asked, and the rate."""
        with self._lock:
            last = self._marks[-1]
            refused = sum(n for why, n in self._dropped.items() if why not in DROPPED_BY_POLICY)
            while len(self._marks) > 1 and self._marks[1].time <= now - RATE_WINDOW:
                self._marks.popleft()
            first = self._marks[0]
            self._marks.append(_Mark(now, self._processed, refused))
            seconds = now - first.time
            return Flow(
                self._received,
                (self._processed - first.processed) / seconds if seconds > 0 else 0.0,
                refused > last.refused and self._processed == last.processed,
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
    failure: why it could not be configured; empty otherwise.
    trouble: what is wrong with the models, in words; empty while all is well.
    enabled: whether ~/enable lets images pass.
    topic: of the images.
    silence, silence_after: seconds without an image, and how many are too many.
    why_silent: asks the graph; only when it is silent, for it takes a while.
    under_way: seconds that the image under way has taken so far.
    flow: what becomes of the images.
    """

    state: str
    failure: str = ""
    trouble: str = ""
    enabled: bool = True
    topic: str = ""
    silence: float = 0.0
    silence_after: float = math.inf
    why_silent: Callable[[], str] = str
    under_way: float = 0.0
    flow: Flow = Flow()


def health(now: Situation) -> tuple[bytes, str]:
    """Level and text of the node's status: an ERROR is where hands are wanted and none can come."""
    if now.state != "active":
        if now.failure:
            return DiagnosticStatus.ERROR, now.failure
        return DiagnosticStatus.WARN, f"not active, but {now.state}"
    errors = list(_errors(now))
    if errors:
        return DiagnosticStatus.ERROR, "; ".join(errors)
    if not now.enabled:
        return DiagnosticStatus.WARN, "switched off by ~/enable"
    if now.flow.received == 0:
        return DiagnosticStatus.WARN, f"no images on '{now.topic}' for {now.silence:.1f} s"
    return DiagnosticStatus.OK, f"{now.flow.rate:.1f} frames/s"


def _errors(now: Situation) -> Iterator[str]:
    if now.silence > now.silence_after:
        yield f"no images on '{now.topic}' for {now.silence:.0f} s: {now.why_silent()}"
    if not now.enabled:
        return
    if now.trouble:
        yield now.trouble
    elif now.flow.is_refused:
        yield "images arrive but none can be processed; see the log"
    if now.under_way > LONGEST_FRAME:
        yield f"an image has been under way for {now.under_way:.0f} s"


def status(name: str, level: bytes, message: str, values: dict[str, str]) -> DiagnosticStatus:
    """One DiagnosticStatus."""
    pairs = [KeyValue(key=key, value=value) for key, value in values.items()]
    return DiagnosticStatus(level=level, name=name, message=message, hardware_id="", values=pairs)
