"""One track: what is known of a hand, and how it is shown when it is seen and when it is not."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from hamer_ros.camera import CameraModel
from hamer_ros.detection.followed import BOX_MARGIN
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hands import Frame, PlacedHand, TrackedHand, TrackState
from hamer_ros.placement.placer import reprojection_rms
from hamer_ros.tracking import motion, smoothing
from hamer_ros.tracking.association import Expected, growth, known_size, sighting_noise
from hamer_ros.tracking.motion import Motion
from hamer_ros.tracking.one_euro import LEAST_STEP
from hamer_ros.tracking.options import TrackerOptions
from hamer_ros.tracking.side_vote import SideVote
from hamer_ros.tracking.smoothing import Smoothed

PATIENCE = 3.0
"""No hand coasts for longer than so many times the time that it was seen for; what was there in
one image only does not coast at all."""


@dataclass(frozen=True)
class Track:
    """A hand that is followed.

    first_seen, last_seen: seconds.
    sighted: the last sighting.
    vote: on its side.
    wrist: where it goes, as of the last sighting.
    smoothed: the filter's state.
    believed: the last sighting with the side that the track goes by, and its stamp.
    shown: the hand as it was published with the last sighting.
    tracked: what was published last.
    """

    number: int
    first_seen: float
    last_seen: float
    sighted: PlacedHand
    vote: SideVote
    wrist: Motion
    smoothed: Smoothed
    believed: PlacedHand
    believed_at: float
    shown: PlacedHand
    tracked: TrackedHand

    def expected(self, stamp: float, last_frame: float) -> Expected:
        """What it expects to see at a stamp; last_frame is that of the frame before."""
        wrist = motion.predict(self.wrist, stamp)
        seen = self.last_seen >= last_frame
        size = known_size(self.sighted)
        return Expected(wrist.position, wrist.pp, self.vote.right, self.region, seen, size)

    @property
    def region(self) -> int:
        """Under which it was seen last."""
        return self.sighted.hand.detection.region


def begin(number: int, placed: PlacedHand, frame: Frame, vote: SideVote, model: HandModel) -> Track:
    """A track that begins with this sighting."""
    shown = _voted(placed, vote)
    return Track(
        number=number,
        first_seen=frame.stamp,
        last_seen=frame.stamp,
        sighted=placed,
        vote=vote,
        wrist=motion.begin(frame.stamp, placed.translation, sighting_noise(placed)),
        smoothed=smoothing.begin(placed, model),
        believed=placed,
        believed_at=frame.stamp,
        shown=shown,
        tracked=TrackedHand(shown, number, TrackState.NEW, placed),
    )


def see(
    track: Track,
    placed: PlacedHand,
    frame: Frame,
    vote: SideVote,
    options: TrackerOptions,
    model: HandModel,
) -> Track:
    """The track after one more sighting.

    A hand that was recovered with the side that its track does not go by has the fingers and the
    surface of the other hand.  Its keypoints tell where the wrist is all the same; the rest stays
    as it was last seen with the right side, and the covariance of the rotation grows.
    """
    dt = max(frame.stamp - track.last_seen, LEAST_STEP)
    grown = growth(known_size(track.sighted), known_size(placed))
    wrist = motion.update(
        motion.scaled(motion.predict(track.wrist, frame.stamp), grown),
        placed.translation,
        sighting_noise(placed),
    )
    believed, believed_at = track.believed, track.believed_at
    if placed.hand.side is vote.side:
        believed, believed_at = placed, frame.stamp
        if track.smoothed.side is vote.side:
            smoothed = smoothing.follow(track.smoothed, placed, dt, options, model)
        else:
            smoothed = smoothing.begin(placed, model)
        shown = _smooth(placed, smoothed, frame.camera, model) if options.smooth else placed
    else:
        smoothed = smoothing.follow_way(track.smoothed, placed, dt, options)
        shown = _held(placed, believed, frame.stamp - believed_at, smoothed, frame.camera, model)
    shown = _voted(shown, vote)
    return replace(
        track,
        last_seen=frame.stamp,
        sighted=placed,
        vote=vote,
        wrist=wrist,
        smoothed=smoothed,
        believed=believed,
        believed_at=believed_at,
        shown=shown,
        tracked=TrackedHand(shown, track.number, TrackState.TRACKED, placed),
    )


def miss(track: Track, frame: Frame, options: TrackerOptions) -> Track:
    """The track after a frame in which it was not seen: coasted, or lost for good."""
    patience = min(options.coast_time, PATIENCE * (track.last_seen - track.first_seen))
    predicted = _predicted(track, frame)
    if predicted is None:
        # Nothing can be said of where it is now; where it was is what is left.
        predicted = _unseen(track.tracked.placed, track.tracked.placed.hand.keypoints)
        state = TrackState.LOST
    else:
        over = frame.stamp - track.last_seen > patience
        state = TrackState.LOST if over else TrackState.COASTED
    return replace(track, tracked=TrackedHand(predicted, track.number, state, None))


def _smooth(
    placed: PlacedHand, smoothed: Smoothed, camera: CameraModel, model: HandModel
) -> PlacedHand:
    """The smoothed hand; its covariance is the sighting's, moved to another point.

    E[(x - x^)(x - x^)^T] = C + m m^T where m is the sighting minus the smoothed hand: what the
    filter trails behind by is uncertainty too.
    """
    shown = smoothing.posed(smoothed, placed, model)
    moved = np.concatenate([placed.translation - shown.translation, smoothed.left_to_turn])
    return replace(
        shown,
        covariance=placed.covariance + np.outer(moved, moved),
        rms_px=_rms(shown, camera),
    )


def _held(
    placed: PlacedHand,
    believed: PlacedHand,
    elapsed: float,
    smoothed: Smoothed,
    camera: CameraModel,
    model: HandModel,
) -> PlacedHand:
    """The wrist of a sighting and all else of the last one that was believed, elapsed seconds ago.

    Of the rotation nothing was seen since, so it goes on as that of a hand that is not seen.
    """
    seen = placed.hand
    hand = replace(
        believed.hand,
        detection=seen.detection,
        keypoints=seen.keypoints,
        keypoint_scores=seen.keypoint_scores,
    )
    shown = smoothing.posed(smoothed, replace(placed, hand=hand), model)
    moved = placed.translation - shown.translation
    covariance = np.zeros((6, 6))
    covariance[:3, :3] = placed.covariance[:3, :3] + np.outer(moved, moved)
    covariance[3:, 3:] = believed.covariance[3:, 3:] + motion.turned(elapsed) * np.eye(3)
    return replace(shown, covariance=covariance, rms_px=_rms(shown, camera))


def _predicted(track: Track, frame: Frame) -> PlacedHand | None:
    """The hand where it is expected, or None when that is out of the image or makes no sense."""
    wrist = motion.predict(track.wrist, frame.stamp)
    covariance = track.shown.covariance.copy()
    covariance[:3, :3] += wrist.pp
    covariance[3:, 3:] += motion.turned(frame.stamp - track.last_seen) * np.eye(3)
    placed = replace(track.shown, translation=wrist.position, covariance=covariance, rms_px=0.0)
    keypoints = frame.camera.project(placed.joints)
    if not (np.isfinite(keypoints).all() and np.isfinite(covariance).all()):
        return None
    size = np.array([frame.camera.width, frame.camera.height])
    if not ((keypoints > -0.5) & (keypoints < size - 0.5)).all(1).any():
        return None
    return _unseen(placed, keypoints)


def _unseen(placed: PlacedHand, keypoints: np.ndarray) -> PlacedHand:
    """The hand with keypoints (21, 2) that nobody saw."""
    low, high = keypoints.min(0), keypoints.max(0)
    margin = BOX_MARGIN * float((high - low).max())
    box = np.concatenate([low - margin, high + margin])
    detection = replace(placed.hand.detection, box=box, score=0.0, landmarks=None)
    hand = replace(
        placed.hand, detection=detection, keypoints=keypoints, keypoint_scores=np.zeros(21)
    )
    return replace(placed, hand=hand)


def _voted(placed: PlacedHand, vote: SideVote) -> PlacedHand:
    detection = replace(placed.hand.detection, side=vote.side, side_score=vote.score)
    return replace(placed, hand=replace(placed.hand, detection=detection))


def _rms(placed: PlacedHand, camera: CameraModel) -> float:
    rms = reprojection_rms(placed.joints, placed.hand, camera)
    return rms if math.isfinite(rms) else placed.rms_px
