"""A run of the pipeline over one scene, and the figures counted from it."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np

from bench.track_evaluation import (
    distances,
    fragmentations,
    frames_until,
    id_switches,
    match_tracks,
)
from bench.tracking_scenes import Scene
from hamer_ros.camera.model import CameraModel
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hands import Frame, Handedness, TrackedHand, TrackState
from hamer_ros.pipeline import HandPipeline
from hamer_ros.rendering.clip import FRAME_RATE, HEIGHT, INTRINSICS, WIDTH, HandTruth
from hamer_ros.rendering.overlay import draw_hands

CAMERA = CameraModel(
    WIDTH, HEIGHT, INTRINSICS[0, 0], INTRINSICS[1, 1], INTRINSICS[0, 2], INTRINSICS[1, 2]
)

VISIBLE = 0.5
"""Share of its silhouette from which a hand counts as visible."""

PICTURES = 10
"""Number of frames of a scene that are kept as pictures."""

_PICTURE_SIZE = (320, 240)


@dataclass(frozen=True)
class FrameHand:
    """A hand that the pipeline observed in one frame.

    raw: (21, 3) joints as placed, metres in the camera frame.
    joints: the same as tracked.
    """

    track_id: int
    handedness: Handedness
    raw: np.ndarray
    joints: np.ndarray


@dataclass(frozen=True)
class Run:
    """The result of the pipeline for a scene, frame by frame.

    seen: the observed hands, without predicted ones.
    truth: the true hands.
    shares: visible share of each, 0 to 1.
    milliseconds: processor time.
    pictures: some frames with the tracked hands drawn in, (240, 320, 3) uint8 RGB.
    """

    scene: Scene
    seen: tuple[tuple[FrameHand, ...], ...]
    truth: tuple[tuple[HandTruth, ...], ...]
    shares: np.ndarray
    milliseconds: tuple[float, ...]
    pictures: tuple[np.ndarray, ...]

    @cached_property
    def matches(self) -> list[dict[int, int]]:
        """The match of each frame: index of the true hand -> index of the hand seen."""
        costs = [
            distances([CAMERA.project(s.joints) for s in seen], [hand.keypoints for hand in truth])
            for seen, truth in zip(self.seen, self.truth, strict=True)
        ]
        return match_tracks([[s.track_id for s in seen] for seen in self.seen], costs)

    def matched(self, hand: int) -> list[FrameHand | None]:
        """Return the hand seen of a true hand in each frame, or None."""
        return [
            seen[pairs[hand]] if hand in pairs else None
            for seen, pairs in zip(self.seen, self.matches, strict=True)
        ]

    def ids(self, hand: int) -> list[int | None]:
        """Return the track id of a true hand in each frame."""
        return [None if s is None else s.track_id for s in self.matched(hand)]

    @property
    def _hands(self) -> range:
        return range(len(self.scene.trajectories))

    @property
    def switches(self) -> int:
        """The number of id switches."""
        return sum(id_switches(self.ids(hand)) for hand in self._hands)

    @property
    def fragmentations(self) -> int:
        """The number of times that a hand was found again, though it was visible all the time."""
        count = 0
        for hand in self._hands:
            ids, visible = self.ids(hand), self.shares[:, hand] >= VISIBLE
            # Cut where it was hidden: a loss there is no fault.
            ends = [0, *np.flatnonzero(visible[1:] != visible[:-1]) + 1, len(ids)]
            count += sum(
                fragmentations(ids[a:b]) for a, b in itertools.pairwise(ends) if visible[a]
            )
        return count

    @property
    def visible(self) -> int:
        """The number of visible hands, over all frames."""
        return int((self.shares >= VISIBLE).sum())

    @property
    def missed(self) -> int:
        """The number of visible hands that were not seen, over all frames."""
        return sum(
            share >= VISIBLE and seen is None
            for hand in self._hands
            for share, seen in zip(self.shares[:, hand], self.matched(hand), strict=True)
        )

    @property
    def invented(self) -> int:
        """The number of hands seen that do not exist, over all frames."""
        return sum(len(s) - len(m) for s, m in zip(self.seen, self.matches, strict=True))

    @property
    def handedness_errors(self) -> int:
        """The number of hands seen with the wrong handedness, over all frames."""
        return sum(
            s is not None and s.handedness is not self.scene.trajectories[hand].handedness
            for hand in self._hands
            for s in self.matched(hand)
        )

    def refound(self) -> list[float]:
        """Return the frames from each end of a complete occlusion until the hand is seen again.

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
    """Render a scene at 30 Hz, run the pipeline over it and return the result."""
    model = _model()
    pipeline = HandPipeline()
    kept = set(np.linspace(0, scene.n_frames - 1, PICTURES).astype(int))
    seen, truth, milliseconds, pictures = [], [], [], []
    for k in range(scene.n_frames):
        frame = scene.frame(model, k)
        begin = time.process_time()
        hands = pipeline.process(Frame(frame.rgb, k / FRAME_RATE, CAMERA)).hands
        milliseconds.append(1e3 * (time.process_time() - begin))
        visible = [hand for hand in hands if hand.state in (TrackState.NEW, TrackState.TRACKED)]
        seen.append(tuple(_frame_hand(hand) for hand in visible))
        truth.append(frame.hands)
        if k in kept:
            drawn = draw_hands(frame.rgb, hands, CAMERA, model.faces)
            pictures.append(cv2.resize(drawn, _PICTURE_SIZE, interpolation=cv2.INTER_AREA))
    shares = np.array([scene.visible_shares(model, k) for k in range(scene.n_frames)])
    return Run(scene, tuple(seen), tuple(truth), shares, tuple(milliseconds), tuple(pictures))


def _frame_hand(hand: TrackedHand) -> FrameHand:
    raw = hand.raw or hand.placed
    return FrameHand(hand.track_id, hand.placed.hand.handedness, raw.joints, hand.placed.joints)


@lru_cache(maxsize=1)
def _model() -> HandModel:
    return HandModel.default()
