"""The stage that follows hands from frame to frame."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import count

from hamer_ros.hand_model.model import HandModel
from hamer_ros.hands import Frame, PlacedHand, TrackedHand, TrackState
from hamer_ros.placement.size import log_length
from hamer_ros.tracking.association import Sighting, associate, known_size, sighting_noise
from hamer_ros.tracking.options import TrackerOptions
from hamer_ros.tracking.side_vote import SideVote, gain, log_odds
from hamer_ros.tracking.track import Track, begin, miss, see

DEFAULT_OPTIONS = TrackerOptions()

LONGEST_PAUSE = 5.0
"""Seconds between two images after which the hands of the second are all new, unless hands may
coast for longer.  A large network on a small processor takes a second or two for an image."""


class Tracker:
    """Follows hands, smooths them, and predicts those that are not seen for a while.

    model: the one that the hands were recovered with.
    options: see `TrackerOptions`; those assigned later hold from the next frame on.
    numbers: of the tracks; from 1 on where none are given, and none is used twice.
    """

    def __init__(
        self,
        model: HandModel,
        options: TrackerOptions = DEFAULT_OPTIONS,
        numbers: Iterator[int] | None = None,
    ) -> None:
        self.options = options
        self._model = model
        self._tracks: list[Track] = []
        self._votes: dict[int, float] = {}
        self._numbers = count(1) if numbers is None else numbers
        self._last_frame = -math.inf

    def reset(self) -> None:
        """Give up all tracks without a word; numbers go on from where they were."""
        self._tracks = []
        self._votes = {}
        self._last_frame = -math.inf

    def track(self, frame: Frame, placed: Sequence[PlacedHand]) -> list[TrackedHand]:
        """The hands of this frame in the order in which they come, then those that are missing.

        A hand of which a number is not finite is left out.  Stamps must run forwards: where they
        stand still, a hand that is not seen any more is expected for ever.
        """
        options, model = self.options, self._model
        placed = [hand for hand in placed if _is_sound(hand)]
        owners = self._owners(frame, placed)
        seen = []
        for hand, owner in zip(placed, owners, strict=True):
            detection = hand.hand.detection
            tally = log_odds(detection)
            if owner is None:
                vote = SideVote.first(detection)
                seen.append(begin(next(self._numbers), hand, frame, vote, model))
            else:
                gained = gain(self._votes.get(detection.region, 0.0), tally)
                vote = owner.vote.plus(gained, detection.side)
                seen.append(see(owner, hand, frame, vote, options, model))
            self._votes[detection.region] = tally
        found = {owner.number for owner in owners if owner is not None}
        missed = [miss(t, frame, options) for t in self._tracks if t.number not in found]
        tracks = [*seen, *missed]
        self._tracks = [t for t in tracks if t.tracked.state is not TrackState.LOST]
        regions = {track.region for track in self._tracks}
        self._votes = {region: v for region, v in self._votes.items() if region in regions}
        self._last_frame = frame.stamp
        return [track.tracked for track in tracks]

    def _owners(self, frame: Frame, placed: Sequence[PlacedHand]) -> list[Track | None]:
        pause = max(LONGEST_PAUSE, self.options.coast_time)
        tracks = [track for track in self._tracks if frame.stamp - track.last_seen <= pause]
        expected = [track.expected(frame.stamp, self._last_frame) for track in tracks]
        columns = associate(expected, [_sighting(hand) for hand in placed])
        return [None if column is None else tracks[column] for column in columns]


def _sighting(placed: PlacedHand) -> Sighting:
    detection = placed.hand.detection
    right = 1 / (1 + math.exp(-log_odds(detection)))
    size = known_size(placed)
    return Sighting(placed.translation, sighting_noise(placed), right, detection.region, size)


def _is_sound(placed: PlacedHand) -> bool:
    """Whether all of the hand is finite and it has a size and a place."""
    if not placed.is_finite or placed.scale <= 0 or placed.translation[2] <= 0:
        return False
    return math.isfinite(log_length(placed.hand.joints))
