"""A track: the state of a hand, updated where it is seen and predicted where it is not."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from hamer_ros.camera.model import CameraModel
from hamer_ros.detection.roi_tracking import BOX_MARGIN
from hamer_ros.geometry.boxes import box_around
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hands import Frame, PlacedHand, TrackedHand, TrackState
from hamer_ros.placement.placer import reprojection_rms
from hamer_ros.tracking import motion, smoothing
from hamer_ros.tracking.association import Expected, growth, known_size, measurement_noise
from hamer_ros.tracking.handedness_vote import HandednessVote
from hamer_ros.tracking.motion import Motion
from hamer_ros.tracking.one_euro import LEAST_STEP
from hamer_ros.tracking.options import TrackerOptions
from hamer_ros.tracking.smoothing import Smoothed

COAST_OVER_SEEN = 3.0
"""Greatest ratio of the time for which a hand coasts to that for which it was seen; what was seen
in one image only does not coast at all."""


@dataclass(frozen=True)
class Track:
    """A hand that is followed.

    first_seen, last_seen: seconds.
    measured: the last measurement.
    vote: that on its handedness.
    wrist: its motion, as of the last measurement.
    smoothed: the filter's state.
    believed, believed_at: the last measurement with the track's handedness, and its stamp.
    shown: the hand as it was published with the last measurement.
    tracked: the hand as it was published last.
    """

    track_id: int
    first_seen: float
    last_seen: float
    measured: PlacedHand
    vote: HandednessVote
    wrist: Motion
    smoothed: Smoothed
    believed: PlacedHand
    believed_at: float
    shown: PlacedHand
    tracked: TrackedHand

    def expected(self, stamp: float, last_frame: float) -> Expected:
        """The hand that it expects at a stamp.

        last_frame: stamp of the frame before.
        """
        wrist = motion.predict(self.wrist, stamp)
        seen = self.last_seen >= last_frame
        size = known_size(self.measured)
        return Expected(wrist.position, wrist.pp, self.vote.right, self.detection_id, seen, size)

    @property
    def detection_id(self) -> int:
        """The detection id under which it was seen last."""
        return self.measured.hand.detection.detection_id


def begin(
    track_id: int, placed: PlacedHand, frame: Frame, vote: HandednessVote, model: HandModel
) -> Track:
    """The track that begins with a measurement."""
    shown = _voted(placed, vote)
    return Track(
        track_id=track_id,
        first_seen=frame.stamp,
        last_seen=frame.stamp,
        measured=placed,
        vote=vote,
        wrist=motion.begin(frame.stamp, placed.translation, measurement_noise(placed)),
        smoothed=smoothing.begin(placed, model),
        believed=placed,
        believed_at=frame.stamp,
        shown=shown,
        tracked=TrackedHand(shown, track_id, TrackState.NEW, placed),
    )


def update(
    track: Track,
    placed: PlacedHand,
    frame: Frame,
    vote: HandednessVote,
    options: TrackerOptions,
    model: HandModel,
) -> Track:
    """The track after one more measurement.

    A hand that was estimated with the handedness that its track does not have has the fingers and
    the surface of the other hand.  Its keypoints give the wrist's position all the same; the rest
    stays as in the last measurement with the track's handedness, and the covariance of the rotation
    grows.
    """
    dt = max(frame.stamp - track.last_seen, LEAST_STEP)
    grown = growth(known_size(track.measured), known_size(placed))
    wrist = motion.update(
        motion.scaled(motion.predict(track.wrist, frame.stamp), grown),
        placed.translation,
        measurement_noise(placed),
    )
    believed, believed_at = track.believed, track.believed_at
    if placed.hand.handedness is vote.handedness:
        believed, believed_at = placed, frame.stamp
        if track.smoothed.handedness is vote.handedness:
            smoothed = smoothing.follow(track.smoothed, placed, dt, options, model)
        else:
            smoothed = smoothing.begin(placed, model)
        shown = _smooth(placed, smoothed, frame.camera, model) if options.smoothing else placed
    else:
        smoothed = smoothing.follow_translation(track.smoothed, placed, dt, options)
        shown = _held(placed, believed, frame.stamp - believed_at, smoothed, frame.camera, model)
    shown = _voted(shown, vote)
    return replace(
        track,
        last_seen=frame.stamp,
        measured=placed,
        vote=vote,
        wrist=wrist,
        smoothed=smoothed,
        believed=believed,
        believed_at=believed_at,
        shown=shown,
        tracked=TrackedHand(shown, track.track_id, TrackState.TRACKED, placed),
    )


def miss(track: Track, frame: Frame, options: TrackerOptions) -> Track:
    """The track after a frame in which it was not seen: coasted, or lost for good."""
    coast_time = min(options.coast_time, COAST_OVER_SEEN * (track.last_seen - track.first_seen))
    predicted = _predicted(track, frame)
    if predicted is None:
        # Nothing can be said of where it is now; where it was is what is left.
        predicted = _unseen(track.tracked.placed, track.tracked.placed.hand.keypoints)
        state = TrackState.LOST
    else:
        over = frame.stamp - track.last_seen > coast_time
        state = TrackState.LOST if over else TrackState.COASTED
    return replace(track, tracked=TrackedHand(predicted, track.track_id, state, None))


def _smooth(
    placed: PlacedHand, smoothed: Smoothed, camera: CameraModel, model: HandModel
) -> PlacedHand:
    """The smoothed hand; its covariance is the measurement's, moved to another point.

    E[(x - x^)(x - x^)^T] = C + m m^T where m is the measurement minus the smoothed hand: what the
    filter trails behind by is uncertainty too.
    """
    shown = smoothing.posed(smoothed, placed, model)
    moved = np.concatenate([placed.translation - shown.translation, smoothed.left_to_turn])
    return replace(
        shown,
        covariance=placed.covariance + np.outer(moved, moved),
        reprojection_rms=_rms(shown, camera),
    )


def _held(
    placed: PlacedHand,
    believed: PlacedHand,
    elapsed: float,
    smoothed: Smoothed,
    camera: CameraModel,
    model: HandModel,
) -> PlacedHand:
    """The wrist of a measurement with all else of the last one that was believed.

    The rotation was not seen since, so it goes on as that of a hand that is not seen.

    elapsed: seconds since `believed`.
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
    return replace(shown, covariance=covariance, reprojection_rms=_rms(shown, camera))


def _predicted(track: Track, frame: Frame) -> PlacedHand | None:
    """The hand where it is expected, or None when that is out of the image or makes no sense."""
    wrist = motion.predict(track.wrist, frame.stamp)
    covariance = track.shown.covariance.copy()
    covariance[:3, :3] += wrist.pp
    covariance[3:, 3:] += motion.turned(frame.stamp - track.last_seen) * np.eye(3)
    placed = replace(
        track.shown, translation=wrist.position, covariance=covariance, reprojection_rms=0.0
    )
    keypoints = frame.camera.project(placed.joints)
    if not (np.isfinite(keypoints).all() and np.isfinite(covariance).all()):
        return None
    size = np.array([frame.camera.width, frame.camera.height])
    if not ((keypoints > -0.5) & (keypoints < size - 0.5)).all(1).any():
        return None
    return _unseen(placed, keypoints)


def _unseen(placed: PlacedHand, keypoints: np.ndarray) -> PlacedHand:
    """The hand with predicted keypoints (21, 2), which were not seen."""
    box = box_around(keypoints, BOX_MARGIN)
    detection = replace(placed.hand.detection, bounding_box=box, score=0.0, landmarks=None)
    hand = replace(
        placed.hand, detection=detection, keypoints=keypoints, keypoint_scores=np.zeros(21)
    )
    return replace(placed, hand=hand)


def _voted(placed: PlacedHand, vote: HandednessVote) -> PlacedHand:
    detection = replace(
        placed.hand.detection, handedness=vote.handedness, handedness_score=vote.score
    )
    return replace(placed, hand=replace(placed.hand, detection=detection))


def _rms(placed: PlacedHand, camera: CameraModel) -> float:
    rms = reprojection_rms(placed.joints, placed.hand, camera)
    return rms if math.isfinite(rms) else placed.reprojection_rms
