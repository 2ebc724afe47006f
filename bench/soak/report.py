"""The report of a soak: figures in words and as records, and the promises that they must keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bench.records import Record
from bench.soak.clip import HANDS, SECONDS
from bench.soak.figures import (
    FrameCounts,
    Load,
    Trend,
    Window,
    drift,
    growth,
    load,
    trend,
    windows,
)
from bench.soak.samples import Sample

SLOPE_LIMIT, SLOPE_MINUTES = 10.0, 28.0
"""Limit in kB per minute, and minutes that it holds for: half an hour less its warm-up."""

DRIFT_LIMIT = 1.2
"""Late p99 over early p99 up to which it counts as flat."""

CORES_LIMIT = 1.0
RESTART_LIMIT = 3.0
"""Limit in seconds."""

LEAST_WINDOWS = 6

LEAST_RATE = 29.0
"""Images per second from the camera; with fewer it was no soak at 30 Hz."""
LEAST_PROCESSED = 0.9
"""Share of the images with two hands from which on the node keeps up."""


@dataclass(frozen=True)
class Soak:
    """The data recorded while the node ran.

    samples: those of the node.
    warm: time from which on they count, nanoseconds.
    sent: (N, 2) stamps, nanoseconds, and indices in the clip.
    arrived: (M, 2) stamps and arrivals.
    counts: those of all frames.
    others: processor cores that other programs kept busy, on average.
    """

    samples: Sequence[Sample]
    warm: int
    sent: np.ndarray
    arrived: np.ndarray
    counts: FrameCounts
    others: float

    @cached_property
    def begin(self) -> int:
        """The time of the first frame, nanoseconds."""
        return int(self.sent[0, 0])

    @cached_property
    def late_samples(self) -> list[Sample]:
        """The samples after the warm-up."""
        return [sample for sample in self.samples if sample.time >= self.warm]

    def minutes(self, time: int) -> float:
        """Return the minutes since the first frame."""
        return (time - self.begin) / 60e9

    @property
    def measured_minutes(self) -> float:
        """The duration after the warm-up."""
        return (self.late_samples[-1].time - self.late_samples[0].time) / 60e9

    def trend(self, field: str) -> Trend:
        """Return the trend of a figure of the samples after the warm-up, per minute."""
        times = np.array([self.minutes(sample.time) for sample in self.late_samples])
        return trend(times, np.array([getattr(s, field) for s in self.late_samples], float))

    def growth(self, field: str) -> int:
        """Return the growth of a count of the samples after the warm-up."""
        return growth([getattr(sample, field) for sample in self.late_samples])

    @cached_property
    def windows(self) -> list[Window]:
        """The latencies, each over the whole clip; over shorter times where the soak is short."""
        seconds = min(SECONDS, 1e-9 * int(self.sent[-1, 0] - self.warm) / LEAST_WINDOWS)
        return windows(self.arrived, self.begin, seconds)

    @cached_property
    def late_windows(self) -> list[Window]:
        """The windows that begin after the warm-up."""
        width = self.windows[0].minute
        return [w for w in self.windows if w.minute - width >= self.minutes(self.warm) - 1e-9]

    @cached_property
    def two_hands(self) -> Load:
        """The load while both hands are in view, after the warm-up."""
        late = self.sent[:, 0] >= self.warm
        cpu = (
            np.array([sample.time for sample in self.samples], float),
            np.array([sample.cpu_seconds for sample in self.samples]),
        )
        shows = late & (HANDS[self.sent[:, 1]] == 2)
        return load(self.sent[:, 0], shows, self.arrived[:, 0], cpu)

    @property
    def rate(self) -> float:
        """The frames per second that the camera sent."""
        return (len(self.sent) - 1) / (1e-9 * (int(self.sent[-1, 0]) - self.begin))


def records(soak: Soak, restart: float) -> list[Record]:
    """Return the figures to keep."""
    limit = "the promise"
    p99 = [window.p99 for window in soak.late_windows]
    none = "none"
    return [
        Record("soak/rss_slope_kb_min", soak.trend("rss").slope, "kB/min", limit, SLOPE_LIMIT),
        Record(
            "soak/rss_slope_kb_min/without_shared",
            soak.trend("own").slope,
            "kB/min",
            limit,
            SLOPE_LIMIT,
        ),
        Record("soak/fd_growth", soak.growth("files"), "", none, 0),
        Record("soak/shm_growth", soak.growth("segments"), "", none, 0),
        Record("soak/frames_lost", sum(map(abs, soak.counts.losses().values())), "", none, 0),
        Record(
            "soak/frames_dropped_share",
            soak.counts.dropped_by_policy / soak.counts.sent,
            "",
            "none, as on an idle machine",
            0,
        ),
        Record("soak/p99_drift", drift(p99), "", "late over early, that of a flat line", 1.0),
        Record(
            "soak/two_hands_processed_share",
            soak.two_hands.processed,
            "",
            "all of them",
            1.0,
        ),
        Record(
            "node/cores_busy_two_hands",
            soak.two_hands.cores_for_all,
            "cores",
            limit,
            CORES_LIMIT,
        ),
        Record("node/restart_s", restart, "s", limit, RESTART_LIMIT),
    ]


def broken_promises(soak: Soak, restart: float) -> list[str]:
    """Return the promises that the node broke, in words; empty without any.

    A soak of less than half an hour cannot tell a leak from a single step in which an allocator
    takes memory: over all of it memory may grow by as much as in half an hour.
    """
    out = []
    others = f"others kept {soak.others:.2f} cores busy"
    rss = soak.trend("rss")
    limit = SLOPE_LIMIT * max(1.0, SLOPE_MINUTES / soak.measured_minutes)
    if rss.slope > limit:
        out.append(
            f"memory grows by {rss.slope:.1f} kB/min (standard error {rss.error:.1f}); at most "
            f"{limit:.0f} are allowed over {soak.measured_minutes:.1f} min"
        )
    for field, what in (("files", "file descriptors"), ("segments", "shared-memory segments")):
        if (more := soak.growth(field)) > 0:
            out.append(f"it holds {more} more {what} in the end than after the warm-up")
    if losses := soak.counts.losses():
        where = ", ".join(f"{count} {place}" for place, count in losses.items())
        out.append(f"frames were lost other than by the drop policy: {where}")
    p99 = np.array([window.p99 for window in soak.late_windows])
    times = np.array([window.minute for window in soak.late_windows])
    rise = trend(times, p99)
    if drift(p99.tolist()) > DRIFT_LIMIT and rise.slope > 2 * rise.error:
        out.append(
            f"p99 latency rises from {rise.start:.0f} to {rise.end:.0f} ms, late over early "
            f"{drift(p99.tolist()):.2f}, more than {DRIFT_LIMIT}; {others}"
        )
    if soak.rate < LEAST_RATE:
        out.append(f"the camera sent only {soak.rate:.1f} images a second; {others}")
    two = soak.two_hands
    if two.cores_for_all > CORES_LIMIT:
        out.append(f"two hands at 30 Hz keep {two.cores_for_all:.2f} cores busy; one is allowed")
    if two.processed < LEAST_PROCESSED:
        out.append(
            f"it does not keep up with two hands at 30 Hz: {100 * two.processed:.0f} % of the "
            f"images are processed; {others}"
        )
    if restart > RESTART_LIMIT:
        out.append(
            f"from the start to the first hands it takes {restart:.1f} s; {RESTART_LIMIT:.0f} are "
            "allowed"
        )
    return out


def summary(soak: Soak) -> str:
    """Return the measured figures, and what is behind them, in words."""
    first, last = soak.late_samples[0], soak.late_samples[-1]
    rss, own, shared = (soak.trend(field) for field in ("rss", "own", "shared"))
    a, two = soak.counts, soak.two_hands
    p99 = [window.p99 for window in soak.late_windows]
    p50 = [window.p50 for window in soak.late_windows]
    wall = 1e-9 * (last.time - first.time)
    waited = (last.waiting_seconds - first.waiting_seconds) / wall
    dropped = ", ".join(f"{count} {reason}" for reason, count in a.dropped.items()) or "none"
    lost = ", ".join(f"{n} {place}" for place, n in a.losses().items()) or "none"
    return "\n".join(
        (
            f"{soak.measured_minutes:.1f} min after a warm-up of {soak.minutes(soak.warm):.1f}, "
            f"{soak.rate:.2f} images/s; other programs kept {soak.others:.2f} cores busy, and the "
            f"node's threads waited {waited:.2f} s each second for a processor",
            f"memory: {own.start / 1024:.1f} MB, {own.slope:+.1f} +- {own.error:.1f} kB/min; "
            f"pages of shared segments seen {shared.start / 1024:.1f} MB, {shared.slope:+.1f} +- "
            f"{shared.error:.1f} kB/min; RSS is both, {rss.slope:+.1f} kB/min",
            f"held: {last.files} file descriptors, {last.segments} shared-memory segments, "
            f"{last.threads} threads; after the warm-up {first.files}, {first.segments}, "
            f"{first.threads}",
            f"frames: {a.sent} sent, {a.received} received, {a.processed} processed, {a.arrived} "
            f"arrived; dropped: {dropped}; lost: {lost}",
            f"latency over {60 * soak.windows[0].minute:.0f} s each, median: p50 "
            f"{np.median(p50):.1f} ms, p99 {np.median(p99):.1f} ms; late over early p50 "
            f"{drift(p50):.2f}, p99 {drift(p99):.2f}",
            f"two hands: {two.cores:.2f} cores busy, {100 * two.processed:.1f} % of the images "
            f"processed; {two.cores_for_all:.2f} cores if it were all",
        )
    )
