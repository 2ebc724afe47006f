"""The data that flows through the pipeline.

    frame -> detections -> hands -> placed hands -> tracks -> messages

Every stage takes the type on its left and returns the one on its right; nothing is ever written
into an object that a later stage has seen.  Units are metres, radians and pixels.

Frames of reference
-------------------
camera
    The optical frame of the camera (REP-103): x right, y down, z forward.
wrist
    The hand model's root frame moved to the wrist joint, in MANO's axes.  For a right hand the
    fingers point along -x, the palm faces -y and the thumb lies on +z; a left hand is the mirror
    image in x (fingers along +x).  Both are right-handed frames: the rotation of a left hand is
    S R S with S = diag(-1, 1, 1), as in HaMeR.
pixel
    u to the right, v down; the centre of the top-left pixel is (0, 0).
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from hamer_ros.camera import CameraModel

N_JOINTS = 21
"""Joints of a hand in OpenPose order: wrist, then thumb, index, middle, ring, little x 4."""


class Side(enum.IntEnum):
    """Which hand it is; the values are those of ``HandMesh.handedness``."""

    LEFT = 1
    RIGHT = 2


class ScaleSource(enum.IntEnum):
    """What fixed the metric size of a hand; the values are those of ``HandMesh.scale_source``."""

    POPULATION_PRIOR = 1
    PARAMETER = 2
    TRACK = 3
    DEPTH = 4


class IntrinsicsSource(enum.IntEnum):
    """Where the intrinsics came from, as in ``HandMeshArray.intrinsics_source``."""

    CAMERA_INFO = 1
    SCALED_CAMERA_INFO = 2
    ASSUMED_FIELD_OF_VIEW = 3


class TrackState(enum.IntEnum):
    """Where a track stands; the values are those of ``HandMesh.track_state``.

    A track is NEW in the frame that it is first seen in, TRACKED in others that it is seen in,
    COASTED while it is predicted, and LOST in the frame that it is given up in, its last one.
    """

    NEW = 1
    TRACKED = 2
    COASTED = 3
    LOST = 4


class Remark(NamedTuple):
    """Something odd about an image that was accepted all the same.

    subject: a few constant words, to be counted under.  text: what it is, with its values.
    """

    subject: str
    text: str


class AbandonedError(Exception):
    """Nobody waits for the hands of this frame any more."""


def never() -> bool:
    """A frame's hands are always wanted."""
    return False


@dataclass(frozen=True)
class SuggestedBox:
    """A box around a hand that somebody else found in an image.

    box: (4,) float64 pixels: x_min, y_min, x_max, y_max.
    side: None where it is not known.
    score: confidence that this is a hand, 0 to 1.

    Raises:
        ValueError: a box that is not finite or has no area, or a score that is none.
    """

    box: np.ndarray
    side: Side | None
    score: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.box).all() and (self.box[2:] > self.box[:2]).all()):
            raise ValueError(f"x_min, y_min, x_max, y_max = {self.box.tolist()} is no box")
        if not 0 <= self.score <= 1:
            raise ValueError(f"the score {self.score} is not from 0 to 1")


@dataclass(frozen=True)
class Frame:
    """One image and the camera that took it.

    rgb: (H, W, 3) uint8, red first.
    stamp: seconds; only differences and order matter.
    depth: (H, W) float32 metres along the optical axis, aligned with the image; 0 or not finite
        where there is none.
    boxes: found by somebody else, for the detector that takes them; None where nobody looked.
    abandoned: whether nobody waits for its hands any more; any thread may decide so.
    """

    rgb: np.ndarray
    stamp: float
    camera: CameraModel
    depth: np.ndarray | None = None
    abandoned: Callable[[], bool] = never
    boxes: tuple[SuggestedBox, ...] | None = None

    def check_wanted(self) -> None:
        """Call it now and then in long work.

        Raises:
            AbandonedError: the frame was abandoned.
        """
        if self.abandoned():
            raise AbandonedError


@dataclass(frozen=True)
class Landmarks:
    """21 joints that a landmark net saw in an image.

    pixels: (21, 2) float64, in the full image.
    world: (21, 3) float64 metres, about the hand's centre, in axes turned onto the viewing ray:
        x and y parallel to the image's, z away from the camera.
    presence: probability that there is a hand, 0 to 1.
    """

    pixels: np.ndarray
    world: np.ndarray
    presence: float


@dataclass(frozen=True)
class Detection:
    """One hand found in one image.

    box: (4,) float64 pixels: x_min, y_min, x_max, y_max around the whole hand; it may reach out
        of the image.
    side, side_score: the more likely side, by vote over all images of this region so far, and its
        probability (0.5 to 1).
    score: confidence that this is a hand, 0 to 1.
    region: which followed image region it came from; the same number means the same hand, also
        after frames in which it was hidden.
    landmarks: what the detector saw of the joints, or None for a detector of boxes.
    """

    box: np.ndarray
    side: Side
    side_score: float
    score: float
    region: int
    landmarks: Landmarks | None = None


@dataclass(frozen=True)
class SharedErrors:
    """How far a recoverer's hands are off in many joints and many images alike.

    Residuals do not show such errors, least of all those of a hand that was fitted to the very
    keypoints that it is compared with, and neither more joints nor more images average them out.
    So a recoverer states them, as standard deviations, for a hand that is seen whole; 0 is none.

    tilt: of the rotation about each axis across the viewing ray, radians.
    roll: of the rotation about the ray, radians.
    shift: of the wrist along each axis across the ray, as a share of the hand's length.
    reach: of the distance where the hand's length is known, relative: what the other errors do to
        how large the hand looks.
    known_noise: residuals' worth of trust in the noise that the placement expects of keypoints and
        joints, against what the residuals say; 0 believes the residuals alone.
    """

    tilt: float = 0.0
    roll: float = 0.0
    shift: float = 0.0
    reach: float = 0.0
    known_noise: float = 0.0


NO_SHARED_ERRORS = SharedErrors()


@dataclass(frozen=True)
class Hand:
    """The shape and pose of one hand, before its place in the room is solved.

    Parameters are those of the *right*-hand model for both sides; a left hand is that model
    mirrored in x, its rotations being S R S.

    orientation: (3, 3) rotation wrist -> camera as the recoverer sees it.
    hand_pose: (15, 3) axis-angle of the finger joints relative to their parents, MANO order, of
        the hand's own side (for a left hand y and z are already negated).
    betas: (10,) shape coefficients.
    vertices: (778, 3) metres in the wrist frame.
    joints: (21, 3) metres in the wrist frame; joints[0] is the origin.
    keypoints: (21, 2) pixels, the evidence for the placement.
    keypoint_scores: (21,) confidence of each keypoint, 0 to 1; 0 outside of the image.
    size_sigma: how far the size of one person's hand is off in every image alike, relative standard
        deviation; infinite where a recoverer cannot see size at all.
    shared_errors: what the recoverer says of its pose; see `SharedErrors`.
    """

    detection: Detection
    orientation: np.ndarray
    hand_pose: np.ndarray
    betas: np.ndarray
    vertices: np.ndarray
    joints: np.ndarray
    keypoints: np.ndarray
    keypoint_scores: np.ndarray
    size_sigma: float = math.inf
    shared_errors: SharedErrors = NO_SHARED_ERRORS

    @property
    def side(self) -> Side:
        """Which hand it is, as detected."""
        return self.detection.side


@dataclass(frozen=True)
class PlacedHand:
    """A hand in the camera frame.

    rotation: (3, 3) wrist -> camera.
    translation: (3,) metres, the wrist joint in the camera frame.
    covariance: (6, 6) of the wrist pose: x, y, z (m^2), then rotations about the fixed x, y, z
        axes of the camera frame (rad^2), as geometry_msgs/PoseWithCovariance orders them.
    scale: factor by which the placement grew the recovered hand.
    scale_source: what fixed the metric size.
    rms_px: root mean square distance between the keypoints that are seen and the reprojected
        joints, pixels.
    shared: (6, 6) the part of the covariance that is the same error in image after image, so that
        no smoothing takes it away.
    remark: why a depth image that was there did not give the size.
    """

    hand: Hand
    rotation: np.ndarray
    translation: np.ndarray
    covariance: np.ndarray
    scale: float
    scale_source: ScaleSource
    rms_px: float
    shared: np.ndarray = field(default_factory=lambda: np.zeros((6, 6)))
    remark: Remark | None = None

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) metres in the wrist frame -> (N, 3) metres in the camera frame."""
        return self.scale * points @ self.rotation.T + self.translation

    @property
    def joints(self) -> np.ndarray:
        """(21, 3) metres in the camera frame."""
        return self.to_camera(self.hand.joints)

    @property
    def vertices(self) -> np.ndarray:
        """(778, 3) metres in the camera frame."""
        return self.to_camera(self.hand.vertices)

    @property
    def is_finite(self) -> bool:
        """Whether every number of it is."""
        numbers = (
            self.rotation,
            self.translation,
            self.covariance,
            self.shared,
            self.scale,
            self.rms_px,
            self.hand.vertices,
            self.hand.joints,
            self.hand.keypoints,
            self.hand.keypoint_scores,
            self.hand.betas,
            self.hand.hand_pose,
            self.hand.detection.box,
            self.hand.detection.score,
            self.hand.detection.side_score,
        )
        return all(np.isfinite(values).all() for values in numbers)


@dataclass(frozen=True)
class Unplaced:
    """A hand for which no pose was found; reason is a short constant text."""

    hand: Hand
    reason: str


@dataclass(frozen=True)
class TrackedHand:
    """A hand that knows which hand it was in the frames before.

    placed: the hand to go by: smoothed, and predicted when it was not seen.  Its side and side
        score are those of the track.
    track_id: never given twice.
    raw: the hand as it was placed in this frame, or None when it was not seen.
    """

    placed: PlacedHand
    track_id: int
    state: TrackState
    raw: PlacedHand | None
