"""Synchronisation of images with their companions by stamp.

An image waits until every companion (its CameraInfo, its depth image, its boxes) has come, or until
one cannot be expected any more: a later companion has come, the wait is over, the stream sends at
other times, or it has not kept up so far.  Images go on in the order in which they came, and each
exactly once.

Stamps are whole nanoseconds, arrivals seconds of a monotonic clock.  Nothing here knows ROS.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from hamer_ros.pipeline import LATE

T = TypeVar("T")

MAX_HELD = 32
"""Number of images that wait at most: they are large."""
MAX_KEPT = 30
"""Number of companions of a stream that wait at most: depth images are large."""
MAX_REMEMBERED = 64
"""Number of images that have gone on for which a companion may still come."""
MAX_MISSED = 3
"""Consecutive images without a companion from a stream before it is not waited for any more."""
RESTART = round(1e9 * LATE)
"""Nanoseconds by which a stamp lies before the newest where another recording begins; a companion
that is as far ahead of an image says nothing about it."""
RASTER_STEPS = 3
"""Number of a stream's steps that must be known before its next stamps are predicted."""
LONGEST_STEP = 10_000_000_000
"""Nanoseconds between two stamps of one stream at most, or it has paused."""
SLOWER = 1.5
"""Ratio of a stream's step to that of the images from which on some images have no companion."""
RASTER_SLACK = 0.1
"""Share of a step by which a stamp may differ from the predicted one."""


@dataclass(frozen=True)
class Companion:
    """The rules for matching one stream with the images.

    tolerance: nanoseconds by which stamps that belong together may differ.
    max_wait: seconds that an image waits for it.
    is_required: every image waits in full, and one that a later companion overtakes is given up.
        Otherwise an image goes on without, and a stream that did not come in time is not waited
        for until it does again.
    """

    tolerance: int
    max_wait: float
    is_required: bool = False


@dataclass(frozen=True)
class Matched(Generic[T]):
    """An image that goes on, with its companions.

    companions: by stream; None where there is none.
    offsets: by stream without a companion: nanoseconds from the image's stamp to the nearest one.
    """

    image: T
    stamp: int
    arrival: float
    companions: Mapping[str, Any]
    offsets: Mapping[str, int]


@dataclass(frozen=True)
class Late:
    """A companion that came ``delay`` seconds after its image, of ``stamp``, which had gone on."""

    stream: str
    stamp: int
    message: Any
    delay: float


@dataclass(frozen=True)
class Released(Generic[T]):
    """The images and late companions that a message or the passing of time released.

    matched: images that go on, in the order in which they came.
    overtaken: number of images given up because a later one has its required companion.
    lost: number of images given up because too many wait for a required companion.
    late: companions whose image has gone on without them.
    """

    matched: tuple[Matched[T], ...] = ()
    overtaken: int = 0
    lost: int = 0
    late: tuple[Late, ...] = ()


@dataclass(frozen=True)
class _Held(Generic[T]):
    image: T
    stamp: int
    arrival: float


@dataclass
class _Incomplete:
    """The record of an image that went on without some of its companions."""

    stamp: int
    arrival: float
    missing: set[str]


@dataclass
class _Stream:
    """The companions of one stream that have come.

    is_expected: the stream keeps up.
    missed: number of consecutive images without a companion.
    """

    kept: deque[tuple[int, Any]] = field(default_factory=lambda: deque(maxlen=MAX_KEPT))
    steps: deque[int] = field(default_factory=lambda: deque(maxlen=2 * RASTER_STEPS))
    is_expected: bool = True
    missed: int = 0

    def put(self, stamp: int, message: Any) -> None:
        """Add a companion; where time has gone back, those from before are dropped."""
        self.forget_after(stamp + RESTART)
        if self.kept and 0 < (step := stamp - self.kept[-1][0]) < LONGEST_STEP:
            self.steps.append(step)
        self.kept.append((stamp, message))

    def nearest(self, stamp: int) -> tuple[int, Any] | None:
        """Return the kept companion nearest to a stamp; of two that are as near, the later one."""
        return min(reversed(self.kept), key=lambda kept: abs(kept[0] - stamp), default=None)

    def slack(self) -> float:
        """Return the nanoseconds by which a stamp may differ from the predicted one."""
        return RASTER_SLACK * (_usual_step(self.steps) or 0)

    def predicted(self, stamp: int) -> int | None:
        """Return the stamp nearest to this one that the stream will send, from its last steps.

        None where they are not known.
        """
        step = _usual_step(self.steps)
        if step is None or not self.kept:
            return None
        steps_on = max(round((stamp - self.kept[-1][0]) / step), 1)
        return self.kept[-1][0] + steps_on * step

    def forget_until(self, stamp: int) -> None:
        """Drop what is older than a stamp, except for the last one, which may have to serve."""
        while len(self.kept) > 1 and self.kept[0][0] < stamp:
            self.kept.popleft()

    def forget_after(self, stamp: int) -> None:
        """Drop what is newer than a stamp, except for the last one that has come."""
        if any(kept > stamp for kept, _ in self.kept):
            last = self.kept[-1]
            self.kept = deque((k for k in self.kept if k[0] <= stamp or k is last), MAX_KEPT)
            self.steps.clear()


def _usual_step(steps: deque[int]) -> int | None:
    """Return the usual one of the last steps; None where there are too few, or they differ."""
    if len(steps) < RASTER_STEPS:
        return None
    step = statistics.median_low(steps)
    return step if max(steps) - min(steps) <= 2 * RASTER_SLACK * step else None


class Synchronizer(Generic[T]):
    """Matches images with their companions; for one thread only.

    companions: by name of the stream; assign others when limits change.
    """

    def __init__(self, companions: Mapping[str, Companion]) -> None:
        self.companions = companions
        self._streams = {name: _Stream() for name in companions}
        self._held: deque[_Held[T]] = deque()
        self._incomplete: deque[_Incomplete] = deque(maxlen=MAX_REMEMBERED)
        self._newest: int | None = None
        self._steps: deque[int] = deque(maxlen=2 * RASTER_STEPS)

    def put_image(self, image: T, stamp: int, now: float) -> Released[T]:
        """Add an image that has come."""
        released: list[Matched[T]] = []
        if self._newest is not None and stamp < self._newest - RESTART:
            released += [self._match(held, now) for held in self._held]
            self._held.clear()
            for stream in self._streams.values():
                stream.forget_after(stamp + RESTART)
            self._newest = stamp
        if self._newest is not None and 0 < stamp - self._newest < LONGEST_STEP:
            self._steps.append(stamp - self._newest)
        self._newest = stamp if self._newest is None else max(self._newest, stamp)
        self._held.append(_Held(image, stamp, now))
        lost = 0
        if len(self._held) > MAX_HELD:
            first = self._held.popleft()
            if any(self.companions[name].is_required for name in self._missing(first)):
                lost = 1
            else:  # waiting longer would not help
                for name in self._missing(first):
                    self._streams[name].is_expected = False
                released.append(self._match(first, now))
        after = self._advance(now)
        return Released((*released, *after.matched), after.overtaken, lost)

    def put_companion(self, stream: str, message: Any, stamp: int, now: float) -> Released[T]:
        """Add a companion that has come."""
        companion = self.companions[stream]
        self._streams[stream].put(stamp, message)
        late = []
        for image in self._incomplete:
            if stream in image.missing and abs(image.stamp - stamp) <= companion.tolerance:
                image.missing.remove(stream)
                delay = now - image.arrival
                late.append(Late(stream, image.stamp, message, delay))
                if delay <= companion.max_wait:
                    self._streams[stream].is_expected = True
                    self._streams[stream].missed = 0
        after = self._advance(now)
        return Released(after.matched, after.overtaken, 0, tuple(late[-1:]))

    def time_passes(self, now: float) -> Released[T]:
        """Release images whose wait is over."""
        return self._advance(now)

    def deadline(self) -> float | None:
        """Return when the wait of the first image is over; None if none waits."""
        if not self._held:
            return None
        first = self._held[0]
        waits = [
            companion.max_wait
            for name, companion in self.companions.items()
            if not self._is_known(first, name) and self._is_awaited(first, name)
        ]
        return first.arrival + max(waits, default=0.0)

    def substitute(self, stream: str, stamp: int) -> Any | None:
        """Return the companion that serves where none has an image's stamp.

        It is the last one that had come by then: the latest that is not newer, or, where the stamps
        of the two streams are unrelated, the last that has come.
        """
        kept = self._streams[stream].kept
        if not kept:
            return None
        if all(other > stamp for other, _ in kept) or kept[-1][0] < stamp:
            return kept[-1][1]
        before = [message for other, message in kept if other <= stamp]
        return before[-1]

    def clear_images(self) -> int:
        """Drop all images and return how many of them waited; companions stay."""
        count = len(self._held)
        self._held.clear()
        self._incomplete.clear()
        self._newest = None
        return count

    def _advance(self, now: float) -> Released[T]:
        """Release images that wait for nothing any more, and those before one that is complete."""
        complete = [i for i, held in enumerate(self._held) if self._is_complete(held)]
        matched: list[Matched[T]] = []
        overtaken = 0
        index = 0
        while self._held:
            held = self._held[0]
            goes_before = bool(complete) and index < complete[-1]
            if not (goes_before or all(self._is_settled(held, n, now) for n in self.companions)):
                break
            self._held.popleft()
            index += 1
            if self._is_overtaken(held, now):
                overtaken += 1
                continue
            matched.append(self._match(held, now))
        return Released(tuple(matched), overtaken)

    def _is_complete(self, held: _Held[T]) -> bool:
        return all(self._is_known(held, name) for name in self.companions)

    def _is_settled(self, held: _Held[T], name: str, now: float) -> bool:
        """True if the image's companion is known, or none is to be expected."""
        return (
            self._is_known(held, name)
            or self._has_passed(held, name)
            or not self._is_awaited(held, name)
            or self._is_overdue(held, name, now)
        )

    def _is_known(self, held: _Held[T], name: str) -> bool:
        """True if the nearest companion has come, and no nearer one is to be expected."""
        own = self._companion_of(held, name)
        if own is None:
            return False
        offset = held.stamp - own[0]
        if offset <= 0 or any(True for _ in self._later(held, name, held.stamp)):
            return True
        stream = self._streams[name]
        predicted = stream.predicted(held.stamp)
        return predicted is not None and abs(predicted - held.stamp) >= offset - stream.slack()

    def _is_awaited(self, held: _Held[T], name: str) -> bool:
        companion, stream = self.companions[name], self._streams[name]
        if companion.is_required or not stream.is_expected:
            return companion.is_required
        predicted = stream.predicted(held.stamp)
        step, period = _usual_step(stream.steps), _usual_step(self._steps)
        if predicted is None or step is None or period is None or step < SLOWER * period:
            return True  # one comes with every image
        later, slack = predicted - held.stamp, stream.slack()
        return abs(later) <= companion.tolerance + slack and later <= period / 2 + slack

    def _is_overtaken(self, held: _Held[T], now: float) -> bool:
        return any(
            self.companions[name].is_required and not self._is_overdue(held, name, now)
            for name in self._missing(held)
        )

    def _has_passed(self, held: _Held[T], name: str) -> bool:
        """True if a later companion has come: stamps of a stream increase."""
        last = held.stamp + self.companions[name].tolerance
        return any(True for _ in self._later(held, name, last + 1))

    def _later(self, held: _Held[T], name: str, stamp: int) -> Iterator[int]:
        """Yield the stamps from one on, except for those of another recording."""
        until = held.stamp + RESTART
        return (kept for kept, _ in self._streams[name].kept if stamp <= kept <= until)

    def _is_overdue(self, held: _Held[T], name: str, now: float) -> bool:
        return now >= held.arrival + self.companions[name].max_wait

    def _companion_of(self, held: _Held[T], name: str) -> tuple[int, Any] | None:
        nearest = self._streams[name].nearest(held.stamp)
        if nearest is None or abs(nearest[0] - held.stamp) > self.companions[name].tolerance:
            return None
        return nearest

    def _missing(self, held: _Held[T]) -> list[str]:
        return [name for name in self.companions if self._companion_of(held, name) is None]

    def _match(self, held: _Held[T], now: float) -> Matched[T]:
        found: dict[str, Any] = {}
        offsets: dict[str, int] = {}
        for name, companion in self.companions.items():
            stream = self._streams[name]
            own = self._companion_of(held, name)
            found[name] = None if own is None else own[1]
            if own is not None:
                stream.is_expected, stream.missed = True, 0
            elif self._has_passed(held, name):
                nearest = stream.nearest(held.stamp)
                assert nearest is not None
                offsets[name] = nearest[0] - held.stamp
                stream.missed += 1
                stream.is_expected &= stream.missed < MAX_MISSED
            elif self._is_overdue(held, name, now):
                stream.is_expected = False
            stream.forget_until(held.stamp - companion.tolerance)
        missing = {name for name, message in found.items() if message is None}
        if missing:
            self._incomplete.append(_Incomplete(held.stamp, held.arrival, missing))
        return Matched(held.image, held.stamp, held.arrival, found, offsets)
