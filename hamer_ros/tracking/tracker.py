"""The tracker, which follows hands from frame to frame."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import count

from hamer_ros.geometry.probability import sigmoid
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hands import Frame, PlacedHand, TrackedHand, TrackState
from hamer_ros.tracking.association import Measurement, associate, known_size, measurement_noise
from hamer_ros.tracking.handedness_vote import HandednessVote, gain, log_odds
from hamer_ros.tracking.options import TrackerOptions
from hamer_ros.tracking.track import Track, begin, miss, update

DEFAULT_OPTIONS = TrackerOptions()

LONGEST_PAUSE = 5.0
"""Seconds between two images after which the hands of the second are all new, unless hands may
coast for longer.  A large network on a small processor takes a second or two for an image."""


class Tracker:
    """Follows hands, smooths them, and predicts those that are not seen for a while.

    model: the one that the hands were estimated with.
    options: see `TrackerOptions`; those assigned later hold from the next frame on.
    ids: ids for new tracks; from 1 on by default, and none is used twice.
    """

    def __init__(
        self,
        model: HandModel,
        options: TrackerOptions = DEFAULT_OPTIONS,
        ids: Iterator[int] | None = None,
    ) -> None:
        self.options = options
        self._model = model
        self._tracks: list[Track] = []
        self._votes: dict[int, float] = {}
        self._ids = count(1) if ids is None else ids
        self._last_frame = -math.inf

    def reset(self) -> None:
        """Drop all tracks, without reporting them as lost; ids go on from where they were."""
        self._tracks = []
        self._votes = {}
        self._last_frame = -math.inf

    def track(self, frame: Frame, placed: Sequence[PlacedHand]) -> list[TrackedHand]:
        """The tracked hands of a frame, in the order of ``placed``, then those that are missing.

        All numbers of the hands are finite.  Stamps must run forwards: where they stand still,
        a hand that is not seen any more is expected for ever.
        """
        options, model = self.options, self._model
        owners = self._owners(frame, placed)
        seen = []
        for hand, owner in zip(placed, owners, strict=True):
            detection = hand.hand.detection
            tally = log_odds(detection)
            if owner is None:
                vote = HandednessVote.first(detection)
                seen.append(begin(next(self._ids), hand, frame, vote, model))
            else:
                gained = gain(self._votes.get(detection.detection_id, 0.0), tally)
                vote = owner.vote.plus(gained, detection.handedness)
                seen.append(update(owner, hand, frame, vote, options, model))
            self._votes[detection.detection_id] = tally
        found = {owner.track_id for owner in owners if owner is not None}
        missed = [miss(t, frame, options) for t in self._tracks if t.track_id not in found]
        tracks = [*seen, *missed]
        self._tracks = [t for t in tracks if t.tracked.state is not TrackState.LOST]
        detection_ids = {track.detection_id for track in self._tracks}
        self._votes = {
            detection_id: v
            for detection_id, v in self._votes.items()
            if detection_id in detection_ids
        }
        self._last_frame = frame.stamp
        return [track.tracked for track in tracks]

    def _owners(self, frame: Frame, placed: Sequence[PlacedHand]) -> list[Track | None]:
        pause = max(LONGEST_PAUSE, self.options.coast_time)
        tracks = [track for track in self._tracks if frame.stamp - track.last_seen <= pause]
        expected = [track.expected(frame.stamp, self._last_frame) for track in tracks]
        columns = associate(expected, [_measurement(hand) for hand in placed])
        return [None if column is None else tracks[column] for column in columns]


def _measurement(placed: PlacedHand) -> Measurement:
    detection = placed.hand.detection
    right = float(sigmoid(log_odds(detection)))
    size = known_size(placed)
    return Measurement(
        placed.translation, measurement_noise(placed), right, detection.detection_id, size
    )
