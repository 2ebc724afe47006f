"""Placed hands -> tracks: the same hand keeps the same number.

A hand belongs to the track whose predicted place in the image is nearest, in units of the hand's
own size, if the sides agree or the detector followed the same region.  The pairs are taken
greedily from the nearest on: with a handful of hands that are rarely closer than a hand's size
this is as good as an optimal assignment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hamer_ros.hands import PlacedHand, Side, TrackedHand, TrackState

GATE = 1.5
"""Greatest distance in the image, in hand sizes, between a track's prediction and its hand."""
FORGET_AFTER = 1.0
"""Seconds without a sighting after which a track is given up."""


@dataclass(frozen=True)
class _Track:
    id: int
    side: Side
    region: int
    stamp: float
    centre: np.ndarray
    velocity: np.ndarray
    sightings: int

    def predict(self, stamp: float) -> np.ndarray:
        return self.centre + self.velocity * (stamp - self.stamp)


class Tracker:
    """Numbers hands from 1 on; a number is never used twice."""

    def __init__(self) -> None:
        self._tracks: list[_Track] = []
        self._next_id = 1
        self._stamp = -np.inf

    def reset(self) -> None:
        """Give up all tracks; numbers go on from where they were."""
        self._tracks = []
        self._stamp = -np.inf

    def update(self, hands: Sequence[PlacedHand], stamp: float) -> list[TrackedHand]:
        """Take in the hands of one frame.  A stamp that runs backwards starts afresh."""
        if stamp < self._stamp:
            self.reset()
        self._stamp = stamp
        self._tracks = [t for t in self._tracks if stamp - t.stamp <= FORGET_AFTER]
        owners = self._assign(hands, stamp)
        tracked, continued = [], set()
        for hand, owner in zip(hands, owners, strict=True):
            track = self._begin(hand, stamp) if owner is None else _continue(owner, hand, stamp)
            continued.add(track.id)
            self._tracks = [t for t in self._tracks if t.id != track.id] + [track]
            state = TrackState.NEW if track.sightings == 1 else TrackState.TRACKED
            tracked.append(TrackedHand(hand, track.id, state))
        return tracked

    def _assign(self, hands: Sequence[PlacedHand], stamp: float) -> list[_Track | None]:
        pairs = []
        for i, hand in enumerate(hands):
            for track in self._tracks:
                same_region = hand.hand.detection.region == track.region
                if track.side is not hand.hand.side and not same_region:
                    continue
                centre, size = _centre_and_size(hand)
                distance = float(np.linalg.norm(track.predict(stamp) - centre)) / size
                if distance < GATE:
                    pairs.append((not same_region, distance, i, track))
        owners: list[_Track | None] = [None] * len(hands)
        taken: set[int] = set()
        for _, _, i, track in sorted(pairs, key=lambda pair: pair[:2]):
            if owners[i] is None and track.id not in taken:
                owners[i] = track
                taken.add(track.id)
        return owners

    def _begin(self, hand: PlacedHand, stamp: float) -> _Track:
        centre, _ = _centre_and_size(hand)
        detection = hand.hand.detection
        track = _Track(
            self._next_id, detection.side, detection.region, stamp, centre, np.zeros(2), 1
        )
        self._next_id += 1
        return track


def _continue(track: _Track, hand: PlacedHand, stamp: float) -> _Track:
    centre, _ = _centre_and_size(hand)
    elapsed = stamp - track.stamp
    velocity = (centre - track.centre) / elapsed if elapsed > 0 else track.velocity
    detection = hand.hand.detection
    return _Track(
        track.id,
        detection.side,
        detection.region,
        stamp,
        centre,
        0.5 * (track.velocity + velocity),
        track.sightings + 1,
    )


def _centre_and_size(hand: PlacedHand) -> tuple[np.ndarray, float]:
    """Middle of the keypoints (2,) and the longer side of their box, pixels."""
    keypoints = hand.hand.keypoints
    return keypoints.mean(0), max(float(np.ptp(keypoints, axis=0).max()), 1.0)
