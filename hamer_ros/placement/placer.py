"""Place hands in the camera frame, from where their joints are in the image.

Steps
    1. Every hand is seen through a virtual camera that looks straight at it (`views`), so that
       lens and principal point, and the distance from it, cost nothing.
    2. Rotation and translation are solved up to scale from the reprojection of the estimated
       joints, with a prior on the estimator's rotation, robustly and for all hands at once
       (`solver`).  Where both exist, keypoints of the estimator and of the landmark model are
       evidence.
    3. What is known of the hand's size fixes the scale (`size`, `size_from_depth`).
    4. The covariance of step 2 is turned into the camera's frame and grown by what no image of the
       hand shows: an unknown size lets the hand slide along its ray, sigma_s^2 t t^T; the estimator
       states what else it does wrong in every image alike (`shared_errors`); and the focal length
       may be a guess, sigma_f^2 g g^T with g the derivative of the pose by log f.

Pose, shape and handedness stay as they were estimated, so the error after Procrustes alignment is
the same before and after.  A hand that cannot be placed is refused with a reason, never placed
badly.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hamer_ros.camera.model import CameraModel
from hamer_ros.hand_model.topology import closed_faces, mirrored_faces
from hamer_ros.hands import (
    Frame,
    Hand,
    Handedness,
    PlacedHand,
    Remark,
    ScaleSource,
    Unplaced,
)
from hamer_ros.placement.shared_covariance import shared_covariance
from hamer_ros.placement.size import (
    POPULATION,
    Size,
    SizeMemory,
    combine,
    log_length,
    log_size,
)
from hamer_ros.placement.size_from_depth import log_factor
from hamer_ros.placement.solver import MIN_KEYPOINTS, NEAREST, Problem, Solution, Status, solve
from hamer_ros.placement.views import Keypoints, Views, look_at, middle
from hamer_ros.visibility import visibility

ROTATION_SIGMA = math.radians(10.0)
"""Standard deviation of an estimator's rotation about each axis, radians."""
JOINT_SIGMA = 0.006 / 1.596
"""Standard deviation of an estimated joint along each axis, metres: a mean error of 6 mm."""
PIXEL_SHARE = 0.01
"""Standard deviation of a keypoint as a share of the hand's size in the image."""
LEAST_PIXEL_SIGMA = 1.5
"""Least standard deviation of a keypoint, pixels: a hand is not seen more finely than the image."""
FORGET_AFTER = 2.0
"""Seconds after which the size of a hand that is gone is forgotten."""
KEPT_FRAMES = 15
"""Images without depth whose hands are kept until their depth images come: half a second."""


@dataclass(frozen=True)
class PoseUpToScale:
    """The pose of a hand of the estimated size, in the camera frame.

    rotation: (3, 3) wrist -> camera.
    translation: (3,) metres, the wrist.
    covariance: (6, 6), translation first.
    by_focal: (6,) derivative by the logarithm of the focal length, translation first.
    view: (3, 3) view that looks at the hand -> camera.
    """

    rotation: np.ndarray
    translation: np.ndarray
    covariance: np.ndarray
    by_focal: np.ndarray
    view: np.ndarray

    def points(self, points: np.ndarray, scale: float) -> np.ndarray:
        """Map points (N, 3), metres, from the wrist frame to the camera frame, scaled by a factor.

        scale: true size / size of the estimated hand.
        """
        return scale * (points @ self.rotation.T + self.translation)


@dataclass
class _Remembered:
    memory: SizeMemory
    seen: float


@dataclass(frozen=True)
class _Kept:
    stamp: float
    camera: CameraModel
    hands: tuple[PlacedHand, ...]


class Placer:
    """Places the hands of one camera, image after image, and learns their sizes.

    faces: (1538, 3) triangles of the right-hand model, for depth images.
    lengths: sizes of hands that are known before any image; people vary about the average.
    """

    def __init__(self, faces: np.ndarray, lengths: Mapping[Handedness, Size] | None = None) -> None:
        closed = closed_faces(faces)
        self._faces = {Handedness.RIGHT: closed, Handedness.LEFT: mirrored_faces(closed)}
        self.lengths: Mapping[Handedness, Size] = lengths or {}
        self._sizes: dict[int, _Remembered] = {}
        self._without_depth: deque[_Kept] = deque(maxlen=KEPT_FRAMES)

    def reset(self) -> None:
        """Forget the sizes learnt from images; given lengths stay."""
        self._sizes.clear()
        self._without_depth.clear()

    def place(self, frame: Frame, hands: Sequence[Hand]) -> list[PlacedHand | Unplaced]:
        """Place each hand, or give the reason why not; in the same order."""
        self._forget(frame.stamp)
        refused = {i: reason for i, hand in enumerate(hands) if (reason := _unusable(hand))}
        usable = [hand for i, hand in enumerate(hands) if i not in refused]
        solved = self._solved(frame, usable) if usable else []
        if frame.depth is None:
            placed = tuple(hand for hand in solved if isinstance(hand, PlacedHand))
            self._without_depth.append(_Kept(frame.stamp, frame.camera, placed))
        rest = iter(solved)
        return [
            Unplaced(hand, refused[i]) if i in refused else next(rest)
            for i, hand in enumerate(hands)
        ]

    def learn_size(self, stamp: float, depth: np.ndarray) -> tuple[Remark, ...]:
        """Learn the sizes of hands from a depth image that came after its image was processed.

        Hands of later images are placed with them, as `ScaleSource.TRACK`.

        stamp: that of the frame.
        depth: (H, W) float32 metres, aligned with its image.

        Returns why hands of it gave none.
        """
        frames = [kept for kept in self._without_depth if kept.stamp == stamp]
        if not frames:
            text = f"a depth image came later than {KEPT_FRAMES} images after its own, too late"
            return (Remark("depth too late", text),)
        (kept,) = frames
        self._without_depth.remove(kept)
        remarks = []
        for placed in kept.hands:
            remembered = self._sizes.get(placed.hand.detection.detection_id)
            if remembered is None:
                continue
            faces = self._faces[placed.hand.handedness]
            seen = log_factor(placed.vertices, faces, depth, kept.camera)
            if isinstance(seen, Remark):
                remarks.append(seen)
            else:
                remembered.memory.measured(seen.of(log_size(placed)))
        return tuple(remarks)

    def _solved(self, frame: Frame, hands: Sequence[Hand]) -> list[PlacedHand | Unplaced]:
        views, problem = pose_problem(hands, frame.camera)
        solution = solve(problem)
        placed: list[PlacedHand | Unplaced] = []
        for i, hand in enumerate(hands):
            status = solution.status[i]
            if status is not Status.SOLVED:
                placed.append(Unplaced(hand, status.value))
            else:
                placed.append(self._scaled(frame, hand, in_camera(views, solution, i)))
        return placed

    def _scaled(self, frame: Frame, hand: Hand, pose: PoseUpToScale) -> PlacedHand | Unplaced:
        """Fix the scale of a pose."""
        estimated = log_length(hand.joints)
        remembered = self._sizes.setdefault(
            hand.detection.detection_id, _Remembered(SizeMemory(), frame.stamp)
        )
        remembered.seen = frame.stamp
        memory = remembered.memory
        memory.update(estimated)
        prior = self.lengths.get(hand.handedness, POPULATION)
        size = memory.belief(prior, estimated, hand.size_sigma)
        # A known length gives the distance as well as the hand's look is known.
        size = replace(size, sigma=math.hypot(size.sigma, hand.shared_errors.reach))
        remark = None
        if frame.depth is not None:
            surface = pose.points(hand.vertices, math.exp(size.log_length - estimated))
            seen = log_factor(surface, self._faces[hand.handedness], frame.depth, frame.camera)
            if isinstance(seen, Remark):
                remark = seen
            else:
                measured = seen.of(size.log_length)
                memory.measured(measured)
                # However sure the memory of earlier depth images is, it is depth that spoke.
                size = replace(combine(size, measured), source=ScaleSource.DEPTH)
        scale = math.exp(size.log_length - estimated)
        joints = pose.points(hand.joints, scale)
        # In the view it lies in front, but a wide view reaches behind the camera's own plane.
        if joints[:, 2].min() < NEAREST:
            return Unplaced(hand, "behind the camera")
        grow = np.array([scale] * 3 + [1.0] * 3)
        shared = grow[:, None] * shared_covariance(hand, pose.rotation, pose.view) * grow
        along = np.concatenate([scale * pose.translation, np.zeros(3)])
        shared += size.sigma**2 * np.outer(along, along)
        if frame.camera.focal_sigma > 0:
            by_focal = grow * pose.by_focal + size.by_focal * along
            shared += frame.camera.focal_sigma**2 * np.outer(by_focal, by_focal)
        return PlacedHand(
            hand,
            pose.rotation,
            scale * pose.translation,
            grow[:, None] * pose.covariance * grow + shared,
            scale,
            size.source,
            reprojection_rms(joints, hand, frame.camera),
            shared,
            remark,
        )

    def _forget(self, stamp: float) -> None:
        self._sizes = {
            detection_id: known
            for detection_id, known in self._sizes.items()
            if 0 <= stamp - known.seen <= FORGET_AFTER
        }


def pose_problem(hands: Sequence[Hand], camera: CameraModel) -> tuple[Views, Problem]:
    """The problem to solve for usable hands, each in its own view."""
    sets = [_evidence(hand, camera) for hand in hands]
    most = max(len(keypoints.pixels) for keypoints in sets)
    padded = [_padded(keypoints, most) for keypoints in sets]
    views = look_at(padded, camera)
    joints = np.stack([np.resize(hand.joints, (most, 3)) for hand in hands])
    rotation = np.stack([hand.orientation for hand in hands])
    return views, Problem(
        joints=joints,
        points=views.points,
        noise=views.noise,
        confidence=views.confidence,
        rotation=views.rotation.transpose(0, 2, 1) @ rotation,
        rotation_sigma=ROTATION_SIGMA,
        # Two sets of keypoints share the error of each joint, which must not look like two.
        joint_sigma=JOINT_SIGMA * math.sqrt(most / 21),
        known_noise=np.array([hand.shared_errors.known_noise for hand in hands]),
        by_focal=views.by_focal,
    )


def _evidence(hand: Hand, camera: CameraModel) -> Keypoints:
    """The estimator's keypoints, and those of the landmark model where they are others."""
    pixels, confidence = hand.keypoints, hand.keypoint_scores
    landmarks = hand.detection.landmarks
    if landmarks is not None and landmarks.pixels is not hand.keypoints:
        pixels = np.concatenate([pixels, landmarks.pixels])
        seen = visibility(landmarks.pixels, camera.width, camera.height)
        confidence = np.concatenate([confidence, landmarks.presence * seen])
    good = pixels[np.isfinite(pixels).all(1) & (confidence > 0)]
    # Three times the median radius is about the longer side of a hand, outliers or not.
    radius = middle(np.linalg.norm(good - middle(good), axis=1))
    return Keypoints(pixels, confidence, max(PIXEL_SHARE * 3 * float(radius), LEAST_PIXEL_SIGMA))


def _padded(keypoints: Keypoints, count: int) -> Keypoints:
    lack = count - len(keypoints.pixels)
    if lack == 0:
        return keypoints
    return Keypoints(
        np.concatenate([keypoints.pixels, np.full((lack, 2), np.nan)]),
        np.concatenate([keypoints.confidence, np.zeros(lack)]),
        keypoints.sigma,
    )


def _unusable(hand: Hand) -> str | None:
    valid = np.isfinite(hand.keypoints).all(1) & (hand.keypoint_scores > 0)
    if valid.sum() < MIN_KEYPOINTS:
        return f"fewer than {MIN_KEYPOINTS} keypoints"
    if not (np.isfinite(hand.joints).all() and np.isfinite(hand.orientation).all()):
        return "estimated hand not finite"
    return None


def in_camera(views: Views, solution: Solution, i: int) -> PoseUpToScale:
    """The solution of hand i, turned from its view to the camera; translation first."""
    turn = views.rotation[i]
    both = np.zeros((6, 6))
    both[:3, 3:] = both[3:, :3] = turn
    return PoseUpToScale(
        rotation=turn @ solution.rotation[i],
        translation=turn @ solution.translation[i],
        covariance=both @ solution.covariance[i] @ both.T,
        by_focal=both @ solution.by_focal[i],
        view=turn,
    )


def reprojection_rms(joints: np.ndarray, hand: Hand, camera: CameraModel) -> float:
    """The root mean square distance of projected joints from a hand's keypoints, pixels.

    It is weighted by the keypoints' scores; NaN where no keypoint is seen.

    joints: (21, 3) metres, camera frame.
    """
    error2 = ((camera.project(joints) - hand.keypoints) ** 2).sum(1)
    valid = np.isfinite(error2) & (hand.keypoint_scores > 0)
    if not valid.any():
        return math.nan
    return math.sqrt(float(np.average(error2[valid], weights=hand.keypoint_scores[valid])))
