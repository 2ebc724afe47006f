"""Images that wait for what belongs to them, and for how long."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

MAX_HELD = 32
"""Items that wait at most: images are large."""


@dataclass(frozen=True)
class Released(Generic[T]):
    """What happened to the items.

    item: is to be processed now; None if there is none.
    overtaken: items that are given up because a later one is processed.
    """

    item: T | None
    overtaken: int


@dataclass(frozen=True)
class _Held(Generic[T]):
    stamp: float
    deadline: float
    item: T


class Waiting(Generic[T]):
    """Items that come in the order of their stamps, each until its counterpart has come.

    An item goes on as soon as its counterpart is there, or without it when its time is up.  The
    items before it are given up then: the newest counts, and stamps go forward.

    max_wait: seconds that an item waits.
    tolerance: seconds by which the stamps of an item and its counterpart may differ.
    """

    def __init__(self, max_wait: float, tolerance: float) -> None:
        self._max_wait = max_wait
        self._tolerance = tolerance
        self._held: deque[_Held[T]] = deque()
        self._early: deque[float] = deque(maxlen=MAX_HELD)

    def hold(self, item: T, stamp: float, now: float) -> Released[T]:
        """Take an item; it is released at once where its counterpart came first."""
        if self._held and stamp < self._held[-1].stamp:  # another recording begins
            dropped = len(self._held)
            self._held.clear()
            self._early.clear()
            released = self.hold(item, stamp, now)
            return Released(released.item, released.overtaken + dropped)
        self._held.append(_Held(stamp, now + self._max_wait, item))
        if any(abs(early - stamp) <= self._tolerance for early in self._early):
            return self._release(len(self._held) - 1)
        if len(self._held) > MAX_HELD:
            self._held.popleft()
            return Released(None, 1)
        return Released(None, 0)

    def arrived(self, stamp: float) -> Released[T]:
        """Take note of a counterpart and release the item that waits for it."""
        for i, held in enumerate(self._held):
            if abs(held.stamp - stamp) <= self._tolerance:
                return self._release(i)
        self._early.append(stamp)
        return Released(None, 0)

    def overdue(self, now: float) -> Released[T]:
        """Release the newest item whose time is up."""
        due = [i for i, held in enumerate(self._held) if held.deadline <= now]
        return self._release(due[-1]) if due else Released(None, 0)

    def deadline(self) -> float | None:
        """When the next item's time is up; None if none waits."""
        return self._held[0].deadline if self._held else None

    def _release(self, index: int) -> Released[T]:
        for _ in range(index):
            self._held.popleft()
        held = self._held.popleft()
        while self._early and self._early[0] <= held.stamp + self._tolerance:
            self._early.popleft()
        return Released(held.item, index)
