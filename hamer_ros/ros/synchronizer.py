"""Images and what belongs to them, brought together by their stamps.

An image waits until every companion (its CameraInfo, its depth image, its boxes) has come, or until
one cannot be expected any more: a later companion has come, the wait is over, or the stream has not
kept up so far.  Images go on in the order in which they came, and each exactly once.

Stamps are whole nanoseconds, arrivals seconds of a monotonic clock.  Nothing here knows ROS.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")

MAX_HELD = 32
"""Images that wait at most: they are large."""
MAX_KEPT = 30
"""Companions that wait for their image at most, of each stream: depth images are large."""
MAX_REMEMBERED = 64
"""Images that have gone on, for which a companion may still come."""
RESTART = 500_000_000
"""Nanoseconds by which a stamp lies before the newest where another recording begins."""


@dataclass(frozen=True)
class Companion:
    """How one stream goes with the images.

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
    """An image that goes on.

    companions: by stream; None where there is none.
    offsets: by stream that has none: nanoseconds from the image's stamp to the nearest one seen,
        where there was any.
    """

    image: T
    stamp: int
    arrival: float
    companions: Mapping[str, Any]
    offsets: Mapping[str, int]


@dataclass(frozen=True)
class Late:
    """A companion that came when its image, of ``stamp``, had gone on, ``delay`` seconds later."""

    stream: str
    stamp: int
    message: Any
    delay: float


@dataclass(frozen=True)
class Released(Generic[T]):
    """What a message brought about.

    matched: images that go on, in the order in which they came.
    overtaken: images that are given up because a later one has its required companion.
    lost: images that are given up because too many wait.
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
class _Stream:
    """Companions that have come; ``is_expected`` while the stream keeps up."""

    kept: deque[tuple[int, Any]] = field(default_factory=lambda: deque(maxlen=MAX_KEPT))
    is_expected: bool = True

    def nearest(self, stamp: int) -> tuple[int, Any] | None:
        """The kept companion nearest to a stamp, and the last of two that are as near."""
        return min(reversed(self.kept), key=lambda kept: abs(kept[0] - stamp), default=None)

    def forget_until(self, stamp: int) -> None:
        """Drop what is older than a stamp; images go forward."""
        while self.kept and self.kept[0][0] < stamp:
            self.kept.popleft()


class Synchronizer(Generic[T]):
    """Matches images with their companions; not for several threads.

    companions: by name of the stream; assign others when limits change.
    """

    def __init__(self, companions: Mapping[str, Companion]) -> None:
        self.companions = companions
        self._streams = {name: _Stream() for name in companions}
        self._held: deque[_Held[T]] = deque()
        self._gone: deque[tuple[_Held[T], frozenset[str]]] = deque(maxlen=MAX_REMEMBERED)

    def put_image(self, image: T, stamp: int, now: float) -> Released[T]:
        """Take an image that has come."""
        released: list[Matched[T]] = []
        if self._held and stamp < self._held[-1].stamp - RESTART:
            released += [self._match(held) for held in self._held]
            self._held.clear()
            for stream in self._streams.values():
                stream.kept.clear()
        self._held.append(_Held(image, stamp, now))
        lost = 0
        if len(self._held) > MAX_HELD:
            self._held.popleft()
            lost = 1
        after = self._advance(now)
        return Released((*released, *after.matched), after.overtaken, lost)

    def put_companion(self, stream: str, message: Any, stamp: int, now: float) -> Released[T]:
        """Take a companion that has come."""
        companion = self.companions[stream]
        self._streams[stream].kept.append((stamp, message))
        late = []
        for held, missing in self._gone:
            if stream in missing and abs(held.stamp - stamp) <= companion.tolerance:
                delay = now - held.arrival
                late.append(Late(stream, held.stamp, message, delay))
                if delay <= companion.max_wait:
                    self._streams[stream].is_expected = True
        after = self._advance(now)
        return Released(after.matched, after.overtaken, 0, tuple(late[-1:]))

    def time_passes(self, now: float) -> Released[T]:
        """Let images go on whose wait is over."""
        return self._advance(now)

    def deadline(self) -> float | None:
        """When the wait of the first image is over; None if none waits."""
        if not self._held:
            return None
        first = self._held[0]
        waits = [
            companion.max_wait
            for name, companion in self.companions.items()
            if self._is_awaited(name) and self._companion_of(first, name) is None
        ]
        return first.arrival + max(waits, default=0.0)

    def nearest(self, stream: str, stamp: int) -> Any | None:
        """The companion whose stamp is nearest, however far it is."""
        nearest = self._streams[stream].nearest(stamp)
        return None if nearest is None else nearest[1]

    def clear_images(self) -> int:
        """Forget the images that wait or have gone; how many have waited.  Companions stay."""
        count = len(self._held)
        self._held.clear()
        self._gone.clear()
        return count

    def _is_awaited(self, name: str) -> bool:
        return self.companions[name].is_required or self._streams[name].is_expected

    def _advance(self, now: float) -> Released[T]:
        """Let images go on that wait for nothing any more, and those before one that is whole."""
        whole = [i for i, held in enumerate(self._held) if self._is_whole(held)]
        matched: list[Matched[T]] = []
        overtaken = 0
        index = 0
        while self._held:
            held = self._held[0]
            before_whole = bool(whole) and index < whole[-1]
            if not (before_whole or all(self._is_settled(held, n, now) for n in self.companions)):
                break
            self._held.popleft()
            index += 1
            if self._is_overtaken(held, now):
                overtaken += 1
                continue
            matched.append(self._match(held, now))
        return Released(tuple(matched), overtaken)

    def _is_whole(self, held: _Held[T]) -> bool:
        return all(self._companion_of(held, name) is not None for name in self.companions)

    def _is_settled(self, held: _Held[T], name: str, now: float) -> bool:
        """Whether its companion has come, or nothing speaks for its coming."""
        return (
            self._companion_of(held, name) is not None
            or not self._is_awaited(name)
            or self._has_passed(held, name)
            or self._is_overdue(held, name, now)
        )

    def _is_overtaken(self, held: _Held[T], now: float) -> bool:
        return any(
            companion.is_required
            and self._companion_of(held, name) is None
            and not self._is_overdue(held, name, now)
            for name, companion in self.companions.items()
        )

    def _has_passed(self, held: _Held[T], name: str) -> bool:
        """Whether a later companion has come: streams go forward."""
        last = held.stamp + self.companions[name].tolerance
        return any(stamp > last for stamp, _ in self._streams[name].kept)

    def _is_overdue(self, held: _Held[T], name: str, now: float) -> bool:
        return now >= held.arrival + self.companions[name].max_wait

    def _companion_of(self, held: _Held[T], name: str) -> tuple[int, Any] | None:
        nearest = self._streams[name].nearest(held.stamp)
        if nearest is None or abs(nearest[0] - held.stamp) > self.companions[name].tolerance:
            return None
        return nearest

    def _match(self, held: _Held[T], now: float | None = None) -> Matched[T]:
        found: dict[str, Any] = {}
        offsets: dict[str, int] = {}
        for name, companion in self.companions.items():
            stream = self._streams[name]
            own = self._companion_of(held, name)
            found[name] = None if own is None else own[1]
            if own is not None:
                stream.is_expected = True
            else:
                if (nearest := stream.nearest(held.stamp)) is not None:
                    offsets[name] = nearest[0] - held.stamp
                if now is not None and self._is_overdue(held, name, now):
                    stream.is_expected = False
            # The last one stays: it may have to serve for others.
            newest = stream.kept[-1][0] if stream.kept else 0
            stream.forget_until(min(held.stamp - companion.tolerance, newest))
        missing = frozenset(name for name, message in found.items() if message is None)
        self._gone.append((held, missing))
        return Matched(held.image, held.stamp, held.arrival, found, offsets)
