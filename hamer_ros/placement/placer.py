"""Hands -> placed hands: where in the room a hand is, from where its joints are in the image.

Steps
    1. Every hand is seen through a virtual camera that looks straight at it (`views`), so that
       lens and principal point, and the distance from it, cost nothing.
    2. Rotation and translation are solved up to scale from the reprojection of the recovered
       joints, with a prior on the recoverer's rotation, robustly and for all hands at once
       (`solver`).  Where both exist, the recoverer's keypoints and the landmark net's are evidence.
    3. What is known of the hand's size fixes the scale (`size`, `depth`).
    4. The covariance of step 2 is turned into the camera's frame and grown by the size's: an
       unknown size lets the hand slide along its ray, sigma_s^2 t t^T.

Pose, shape and side stay as they were recovered, so the error after Procrustes alignment is the
same before and after.  A hand that cannot be placed is refused with a reason, never placed badly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hamer_ros.camera import CameraModel
from hamer_ros.hand_model.topology import closed_faces, mirrored_faces
from hamer_ros.hands import Frame, Hand, PlacedHand, ScaleSource, Side, Unplaced
from hamer_ros.placement.depth import log_factor
from hamer_ros.placement.size import POPULATION, Size, SizeMemory, combine, log_length
from hamer_ros.placement.solver import NEAREST, Problem, Solution, solve
from hamer_ros.placement.views import Keypoints, Views, look_at, middle

ROTATION_SIGMA = math.radians(10.0)
"""Standard deviation of a recoverer's rotation about each axis, radians."""
JOINT_SIGMA = 0.006 / 1.596
"""Standard deviation of a recovered joint along each axis, metres: a mean error of 6 mm."""
PIXEL_SHARE = 0.01
"""Standard deviation of a keypoint as a share of the hand's size in the image ..."""
LEAST_PIXEL_SIGMA = 1.5
"""... and at least, pixels: a small hand is not seen more finely than the image is."""
MIN_KEYPOINTS = 6
FORGET_AFTER = 2.0
"""Seconds after which the size of a hand that is gone is forgotten."""


@dataclass
class _Remembered:
    memory: SizeMemory
    seen: float


class Placer:
    """Places the hands of one camera, image after image, and learns their sizes.

    faces: (1538, 3) triangles of the right-hand model, for depth images.
    lengths: sizes of hands that are known before any image; people vary about the average.
    """

    def __init__(self, faces: np.ndarray, lengths: dict[Side, Size] | None = None) -> None:
        closed = closed_faces(faces)
        self._faces = {Side.RIGHT: closed, Side.LEFT: mirrored_faces(closed)}
        self.lengths = lengths or {}
        self._sizes: dict[int, _Remembered] = {}

    def reset(self) -> None:
        """Forget the sizes learnt from images; given lengths stay."""
        self._sizes.clear()

    def place(self, frame: Frame, hands: Sequence[Hand]) -> list[PlacedHand | Unplaced]:
        """Place each hand, or say why not; in the same order."""
        refused = {i: reason for i, hand in enumerate(hands) if (reason := _unusable(hand))}
        usable = [hand for i, hand in enumerate(hands) if i not in refused]
        solved = iter(self._solved(frame, usable) if usable else ())
        return [
            Unplaced(hand, refused[i]) if i in refused else next(solved)
            for i, hand in enumerate(hands)
        ]

    def _solved(self, frame: Frame, hands: Sequence[Hand]) -> list[PlacedHand | Unplaced]:
        views, problem = pose_problem(hands, frame.camera)
        solution = solve(problem)
        placed: list[PlacedHand | Unplaced] = []
        for i, hand in enumerate(hands):
            reason = _no_solution(solution, i)
            if reason:
                placed.append(Unplaced(hand, reason))
            else:
                placed.append(self._scaled(frame, hand, *in_camera(views, solution, i)))
        self._forget(frame.stamp)
        return placed

    def _scaled(
        self,
        frame: Frame,
        hand: Hand,
        rotation: np.ndarray,
        way: np.ndarray,
        up_to_scale: np.ndarray,
    ) -> PlacedHand | Unplaced:
        """Fix the scale of a pose; way (3,) is the wrist as far as the recovered size has it."""
        recovered = log_length(hand.joints)
        remembered = self._sizes.setdefault(
            hand.detection.region, _Remembered(SizeMemory(), frame.stamp)
        )
        remembered.seen = frame.stamp
        memory = remembered.memory
        memory.saw(recovered)
        prior = self.lengths.get(hand.side, POPULATION)
        size = memory.belief(prior, recovered, hand.size_sigma)
        if frame.depth is not None:
            scale = math.exp(size.log_length - recovered)
            surface = scale * (hand.vertices @ rotation.T + way)
            seen = log_factor(surface, self._faces[hand.side], frame.depth, frame.camera)
            if seen is not None:
                measured = Size(size.log_length + seen[0], seen[1], ScaleSource.DEPTH)
                memory.measured(measured)
                # However sure the memory of earlier depth images is, it is depth that spoke.
                size = replace(combine(size, measured), source=ScaleSource.DEPTH)
        scale = math.exp(size.log_length - recovered)
        covariance = _with_size(up_to_scale, scale, way, size.sigma)
        joints = scale * (hand.joints @ rotation.T + way)
        # In the view it lies in front, but a wide view reaches behind the camera's own plane.
        if joints[:, 2].min() < NEAREST:
            return Unplaced(hand, "behind the camera")
        error = frame.camera.project(joints) - hand.keypoints
        rms = float(np.sqrt(np.nanmean((error**2).sum(1))))
        return PlacedHand(hand, rotation, scale * way, covariance, scale, size.source, rms)

    def _forget(self, stamp: float) -> None:
        self._sizes = {
            region: known
            for region, known in self._sizes.items()
            if 0 <= stamp - known.seen <= FORGET_AFTER
        }


def pose_problem(hands: Sequence[Hand], camera: CameraModel) -> tuple[Views, Problem]:
    """What is to be solved for usable hands, each in its own view."""
    sets = [_evidence(hand) for hand in hands]
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
    )


def _evidence(hand: Hand) -> Keypoints:
    """The recoverer's keypoints, and those of the landmark net where they are others."""
    pixels, confidence = hand.keypoints, hand.keypoint_scores
    landmarks = hand.detection.landmarks
    if landmarks is not None and landmarks.pixels is not hand.keypoints:
        pixels = np.concatenate([pixels, landmarks.pixels])
        confidence = np.concatenate([confidence, np.full(21, landmarks.presence)])
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
    there = np.isfinite(hand.keypoints).all(1) & (hand.keypoint_scores > 0)
    if there.sum() < MIN_KEYPOINTS:
        return f"fewer than {MIN_KEYPOINTS} keypoints"
    if not (np.isfinite(hand.joints).all() and np.isfinite(hand.orientation).all()):
        return "recovered hand not finite"
    return None


def _no_solution(solution: Solution, i: int) -> str | None:
    numbers = (solution.rotation[i], solution.translation[i], solution.covariance[i])
    if not all(np.isfinite(values).all() for values in numbers):
        return "no solution"
    if solution.inliers[i].sum() < MIN_KEYPOINTS:
        return f"fewer than {MIN_KEYPOINTS} keypoints agree"
    return None


def in_camera(
    views: Views, solution: Solution, i: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rotation, translation and their covariance (translation first), from view to camera."""
    turn = views.rotation[i]
    both = np.zeros((6, 6))
    both[:3, 3:] = both[3:, :3] = turn
    covariance = both @ solution.covariance[i] @ both.T
    return turn @ solution.rotation[i], turn @ solution.translation[i], covariance


def _with_size(up_to_scale: np.ndarray, scale: float, way: np.ndarray, sigma: float) -> np.ndarray:
    """Covariance (6, 6), translation first, of a scaled pose whose size is uncertain."""
    grow = np.diag([scale] * 3 + [1.0] * 3)
    covariance = grow @ up_to_scale @ grow
    along = np.concatenate([scale * way, np.zeros(3)])
    return covariance + sigma**2 * np.outer(along, along)
