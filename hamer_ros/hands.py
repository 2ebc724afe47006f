"""The data that flows through the pipeline.

    frame -> detections -> hands -> placed hands -> tracks -> messages

Every step takes the type on its left and returns the one on its right; nothing is ever written
into an object that a later step has seen.  Units are metres, radians and pixels.

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

from hamer_ros.camera.model import CameraModel
from hamer_ros.shared_errors import NO_SHARED_ERRORS, SharedErrors

N_JOINTS = 21
"""Joints of a hand in OpenPose order: wrist, then thumb, index, middle, ring, little x 4."""


class Handedness(enum.IntEnum):
    """Left or right hand; the values are those of ``HandMesh.handedness``."""

    LEFT = 1
    RIGHT = 2


class ScaleSource(enum.IntEnum):
    """The source of a hand's metric size; the values are those of ``HandMesh.scale_source``."""

    POPULATION_PRIOR = 1
    PARAMETER = 2
    TRACK = 3
    DEPTH = 4


class IntrinsicsSource(enum.IntEnum):
    """The source of the intrinsics; the values are those of ``HandMeshArray.intrinsics_source``."""

    CAMERA_INFO = 1
    SCALED_CAMERA_INFO = 2
    ASSUMED_FIELD_OF_VIEW = 3


class TrackState(enum.IntEnum):
    """The state of a track; the values are those of ``HandMesh.track_state``.

    A track is NEW in the frame that it is first seen in, TRACKED in others that it is seen in,
    COASTED while it is predicted, and LOST in the frame that it is given up in, its last one.
    """

    NEW = 1
    TRACKED = 2
    COASTED = 3
    LOST = 4


class Remark(NamedTuple):
    """Something odd about an image that was accepted all the same.

    subject: a few constant words, to be counted under.
    text: what it is, with its values.
    """

    subject: str
    text: str


class AbandonedError(Exception):
    """Nobody waits for the hands of this frame any more."""


def never() -> bool:
    """Return False: the default of `Frame.abandoned`, by which a frame is always wanted."""
    return False


@dataclass(frozen=True)
class ExternalBox:
    """A box around a hand that somebody else found in an image.

    bounding_box: (4,) float64 pixels: x_min, y_min, x_max, y_max.
    handedness: None where it is not known.
    score: confidence that this is a hand, 0 to 1.

    Raises:
        ValueError: a box that is not finite or has no area, or a score that is none.
    """

    bounding_box: np.ndarray
    handedness: Handedness | None
    score: float

    def __post_init__(self) -> None:
        if not (
            np.isfinite(self.bounding_box).all()
            and (self.bounding_box[2:] > self.bounding_box[:2]).all()
        ):
            raise ValueError(f"x_min, y_min, x_max, y_max = {self.bounding_box.tolist()} is no box")
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
    abandoned: returns True once nobody waits for the hands any more; any thread may decide so.

    Raises:
        ValueError: an image of another type or size than the camera's, or a depth image of another
            size.
    """

    rgb: np.ndarray
    stamp: float
    camera: CameraModel
    depth: np.ndarray | None = None
    abandoned: Callable[[], bool] = never
    boxes: tuple[ExternalBox, ...] | None = None

    def __post_init__(self) -> None:
        size = self.camera.height, self.camera.width
        if self.rgb.dtype != np.uint8 or self.rgb.shape != (*size, 3):
            raise ValueError(
                f"image is {self.rgb.dtype} {self.rgb.shape}; the intrinsics are for uint8 "
                f"{(*size, 3)}"
            )
        if self.depth is not None and self.depth.shape != size:
            raise ValueError(f"depth is {self.depth.shape}; the intrinsics are for {size}")

    def check_wanted(self) -> None:
        """Raise an error if the frame was abandoned; long work calls it now and then.

        Raises:
            AbandonedError: the frame was abandoned.
        """
        if self.abandoned():
            raise AbandonedError


@dataclass(frozen=True)
class Landmarks:
    """The 21 joints that a landmark model found in an image.

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

    bounding_box: (4,) float64 pixels: x_min, y_min, x_max, y_max around the whole hand; it may
        reach out of the image.
    handedness, handedness_score: left or right, whichever is more likely by the vote of all images
        that the detector has followed the hand in, and its probability (0.5 to 1).
    score: confidence that this is a hand, 0 to 1.
    detection_id: identifies the hand that the detector follows; the same id means the same hand,
        also after frames in which it was hidden.
    landmarks: the joints, or None where the detector finds boxes only.
    """

    bounding_box: np.ndarray
    handedness: Handedness
    handedness_score: float
    score: float
    detection_id: int
    landmarks: Landmarks | None = None


@dataclass(frozen=True)
class Hand:
    """The shape and pose of one hand, before its translation is solved.

    Parameters are those of the *right*-hand model for left hands as well; a left hand is that model
    mirrored in x, its rotations being S R S.

    orientation: (3, 3) rotation wrist -> camera as the estimator sees it.
    hand_pose: (15, 3) axis-angle of the finger joints relative to their parents, MANO order, of
        the hand itself (for a left hand y and z are already negated).
    betas: (10,) shape coefficients.
    vertices: (778, 3) metres in the wrist frame.
    joints: (21, 3) metres in the wrist frame; joints[0] is the origin.
    keypoints: (21, 2) pixels, the evidence for the placement.
    keypoint_scores: (21,) confidence of each keypoint, 0 to 1; 0 outside of the image.
    size_sigma: relative standard deviation of the size's error that is alike in every image of one
        person's hand; infinite where an estimator cannot see size at all.
    shared_errors: what the estimator says of its pose; see `SharedErrors`.
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
    def handedness(self) -> Handedness:
        """Left or right, as detected."""
        return self.detection.handedness


@dataclass(frozen=True)
class PlacedHand:
    """A hand in the camera frame.

    rotation: (3, 3) wrist -> camera.
    translation: (3,) metres, the wrist joint in the camera frame.
    covariance: (6, 6) of the wrist pose: x, y, z (m^2), then rotations about the fixed x, y, z
        axes of the camera frame (rad^2), as geometry_msgs/PoseWithCovariance orders them.
    scale: factor by which the placement grew the estimated hand.
    scale_source: what fixed the metric size.
    reprojection_rms: root mean square distance between the keypoints that are seen and the
        reprojected joints, pixels.
    shared: (6, 6) the part of the covariance that is the same error in image after image, so that
        no smoothing takes it away.
    remark: why a depth image did not give the size; None where it did, or where there was none.
    """

    hand: Hand
    rotation: np.ndarray
    translation: np.ndarray
    covariance: np.ndarray
    scale: float
    scale_source: ScaleSource
    reprojection_rms: float
    shared: np.ndarray = field(default_factory=lambda: np.zeros((6, 6)))
    remark: Remark | None = None

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """Map points (N, 3) in metres from the wrist frame to the camera frame."""
        return self.scale * points @ self.rotation.T + self.translation

    @property
    def joints(self) -> np.ndarray:
        """The joints (21, 3), metres in the camera frame."""
        return self.to_camera(self.hand.joints)

    @property
    def vertices(self) -> np.ndarray:
        """The vertices (778, 3), metres in the camera frame."""
        return self.to_camera(self.hand.vertices)

    @property
    def is_finite(self) -> bool:
        """True if every number of the hand is finite."""
        numbers = (
            self.rotation,
            self.translation,
            self.covariance,
            self.shared,
            self.scale,
            self.reprojection_rms,
            self.hand.vertices,
            self.hand.joints,
            self.hand.keypoints,
            self.hand.keypoint_scores,
            self.hand.betas,
            self.hand.hand_pose,
            self.hand.detection.bounding_box,
            self.hand.detection.score,
            self.hand.detection.handedness_score,
        )
        return all(np.isfinite(values).all() for values in numbers)


NOT_FINITE = "not finite"
"""Reason for which a hand is left out: no number that is not finite leaves the pipeline."""


@dataclass(frozen=True)
class Unplaced:
    """A hand for which no pose was found; reason is a short constant text."""

    hand: Hand
    reason: str


@dataclass(frozen=True)
class TrackedHand:
    """A hand and the track that it belongs to.

    placed: the hand to use: smoothed, and predicted when it was not seen.  Its handedness and
        handedness_score are those of the track.
    track_id: identifies the track; never used twice.
    raw: the hand as it was placed in this frame, or None when it was not seen.
    """

    placed: PlacedHand
    track_id: int
    state: TrackState
    raw: PlacedHand | None
