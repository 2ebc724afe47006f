"""The pipeline's way through one scene, and what is counted of it."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np

from hamer_ros.camera import CameraModel
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hands import Side, TrackedHand, TrackState
from hamer_ros.pipeline import HandPipeline
from hamer_ros.rendering.clip import FRAME_RATE, HEIGHT, INTRINSICS, WIDTH, HandTruth
from hamer_ros.rendering.overlay import draw_hands
from hamer_ros.rendering.scenes import Scene
from hamer_ros.track_evaluation import (
    distances,
    fragmentations,
    frames_until,
    id_switches,
    match_tracks,
)

CAMERA = CameraModel(
    WIDTH, HEIGHT, INTRINSICS[0, 0], INTRINSICS[1, 1], INTRINSICS[0, 2], INTRINSICS[1, 2]
)

VISIBLE = 0.5
"""Share of its silhouette from which a hand is asked for."""

PICTURES = 10
"""Frames of a scene that are kept as pictures."""

_PICTURE_SIZE = (320, 240)


@dataclass(frozen=True)
class Sighting:
    """A hand that the pipeline saw in one frame.

    raw: (21, 3) metres in the camera frame as it was placed; joints: the same as tracked.
    """

    track_id: int
    side: Side
    raw: np.ndarray
    joints: np.ndarray


@dataclass(frozen=True)
class Run:
    """What the pipeline made of a scene, frame by frame.

    seen: the hands that it saw, without those that it only supposes.
    truth: the true hands.  shares: how much of each is visible, 0 to 1.
    milliseconds: processor time.
    pictures: some frames with the tracked hands drawn in, (240, 320, 3) uint8 RGB.
    """

    scene: Scene
    seen: tuple[tuple[Sighting, ...], ...]
    truth: tuple[tuple[HandTruth, ...], ...]
    shares: np.ndarray
    milliseconds: tuple[float, ...]
    pictures: tuple[np.ndarray, ...]

    @cached_property
    def matches(self) -> list[dict[int, int]]:
        """Of each frame: index of the true hand -> index of the hand seen."""
        costs = [
            distances([CAMERA.project(s.joints) for s in seen], [hand.keypoints for hand in truth])
            for seen, truth in zip(self.seen, self.truth, strict=True)
        ]
        return match_tracks([[s.track_id for s in seen] for seen in self.seen], costs)

    def matched(self, hand: int) -> list[Sighting | None]:
        """What was seen of a true hand in each frame."""
        return [
            seen[pairs[hand]] if hand in pairs else None
            for seen, pairs in zip(self.seen, self.matches, strict=True)
        ]

    def ids(self, hand: int) -> list[int | None]:
        """The number of a true hand in each frame."""
        return [None if s is None else s.track_id for s in self.matched(hand)]

    @property
    def _hands(self) -> range:
        return range(len(self.scene.courses))

    @property
    def switches(self) -> int:
        """Changes of a hand's number."""
        return sum(id_switches(self.ids(hand)) for hand in self._hands)

    @property
    def fragmentations(self) -> int:
        """How often a hand was found again, though it was visible all the time."""
        count = 0
        for hand in self._hands:
            ids, visible = self.ids(hand), self.shares[:, hand] >= VISIBLE
            # Cut where it was hidden: to be lost there is no fault.
            ends = [0, *np.flatnonzero(visible[1:] != visible[:-1]) + 1, len(ids)]
            count += sum(
                fragmentations(ids[a:b]) for a, b in itertools.pairwise(ends) if visible[a]
            )
        return count

    @property
    def visible(self) -> int:
        """Hands that are visible, over all frames."""
        return int((self.shares >= VISIBLE).sum())

    @property
    def missed(self) -> int:
        """Hands that are visible and not seen, over all frames."""
        return sum(
            share >= VISIBLE and seen is None
            for hand in self._hands
            for share, seen in zip(self.shares[:, hand], self.matched(hand), strict=True)
        )

    @property
    def invented(self) -> int:
        """Hands seen that are none, over all frames."""
        return sum(len(s) - len(m) for s, m in zip(self.seen, self.matches, strict=True))

    @property
    def side_errors(self) -> int:
        """Hands seen as of the other side, over all frames."""
        return sum(
            s is not None and s.side is not self.scene.courses[hand].side
            for hand in self._hands
            for s in self.matched(hand)
        )

    def refound(self) -> list[float]:
        """Frames from each end of a complete occlusion to the hand's being seen again.

        An occlusion ends when the hand is visible again by the share `VISIBLE`.
        """
        delays = []
        for hand in self._hands:
            seen = [s is not None for s in self.matched(hand)]
            hidden = np.flatnonzero(self.shares[:, hand] == 0)
            if len(hidden):
                back = frames_until(list(self.shares[:, hand] >= VISIBLE), int(hidden[-1]))
                delays.append(frames_until(seen, int(hidden[-1] + back)))
        return delays


def play(scene: Scene) -> Run:
    """Render a scene at 30 Hz for the pipeline."""
    model = _model()
    pipeline = HandPipeline(CAMERA)
    kept = set(np.linspace(0, scene.n_frames - 1, PICTURES).astype(int))
    seen, truth, milliseconds, pictures = [], [], [], []
    for k in range(scene.n_frames):
        frame = scene.frame(model, k)
        begin = time.process_time()
        hands = pipeline.process(frame.rgb, k / FRAME_RATE).hands
        milliseconds.append(1e3 * (time.process_time() - begin))
        sure = [hand for hand in hands if hand.state in (TrackState.NEW, TrackState.TRACKED)]
        seen.append(tuple(_sighting(hand) for hand in sure))
        truth.append(frame.hands)
        if k in kept:
            drawn = draw_hands(frame.rgb, hands, CAMERA, model.faces)
            pictures.append(cv2.resize(drawn, _PICTURE_SIZE, interpolation=cv2.INTER_AREA))
    shares = np.array([scene.visible_shares(model, k) for k in range(scene.n_frames)])
    return Run(scene, tuple(seen), tuple(truth), shares, tuple(milliseconds), tuple(pictures))


def _sighting(hand: TrackedHand) -> Sighting:
    raw = hand.raw or hand.placed
    return Sighting(hand.track_id, hand.placed.hand.side, raw.joints, hand.placed.joints)


@lru_cache(maxsize=1)
def _model() -> HandModel:
    return HandModel.default()
