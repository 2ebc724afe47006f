"""Matching of received hands with true ones, and the errors of their joints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hamer_ros.demo.records import SeenHand
from hamer_ros.geometry.alignment import mpjpe, pa_mpjpe, weak_perspective_translation
from hamer_ros.hands import Handedness
from hamer_ros.rendering.clip import INTRINSICS, HandTruth

SAME_HAND = 0.5
"""Mean distance of the joints in the image, in sizes of the hand, up to which two hands match."""


@dataclass(frozen=True)
class HandError:
    """The errors of one true hand of one frame that was found.

    pa_mpjpe, mpjpe: millimetres, after Procrustes alignment and in the camera frame.
    mpjpe_before: in the camera frame, had the hand been placed by HaMeR's own formula.
    """

    index: int
    handedness: Handedness
    handedness_right: bool
    pa_mpjpe: float
    mpjpe: float
    mpjpe_before: float


@dataclass(frozen=True)
class FrameErrors:
    """The errors of the hands of one frame.

    missed: number of true hands that were not found.
    invented: number of received hands that do not exist.
    """

    found: tuple[HandError, ...]
    missed: int
    invented: int


def frame_errors(index: int, seen: Sequence[SeenHand], truth: Sequence[HandTruth]) -> FrameErrors:
    """Return the errors of one frame; the nearest hands match first, whatever their handedness."""
    distances = sorted(
        (_distance(hand, true), i, j) for i, hand in enumerate(seen) for j, true in enumerate(truth)
    )
    owners: dict[int, int] = {}
    for distance, i, j in distances:
        if distance <= SAME_HAND and i not in owners.values() and j not in owners:
            owners[j] = i
    found = tuple(_error(index, seen[i], truth[j]) for j, i in sorted(owners.items()))
    return FrameErrors(found, len(truth) - len(found), len(seen) - len(found))


def _distance(hand: SeenHand, true: HandTruth) -> float:
    size = float(np.ptp(true.keypoints, axis=0).max())
    return float(np.linalg.norm(hand.keypoints - true.keypoints, axis=1).mean()) / size


def _error(index: int, hand: SeenHand, true: HandTruth) -> HandError:
    return HandError(
        index,
        true.handedness,
        hand.handedness is true.handedness,
        1e3 * pa_mpjpe(hand.joints, true.joints),
        1e3 * mpjpe(hand.joints, true.joints),
        1e3 * mpjpe(_weak_perspective_joints(hand), true.joints),
    )


def _weak_perspective_joints(hand: SeenHand) -> np.ndarray:
    """Return the joints (21, 3) where HaMeR's own formula would place them."""
    offsets = hand.joints - hand.joints[0]
    center, focal = INTRINSICS[:2, 2], np.diag(INTRINSICS)[:2]
    return offsets + weak_perspective_translation(offsets, (hand.keypoints - center) / focal)
