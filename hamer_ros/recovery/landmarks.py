"""The recoverer ``landmarks``: a hand model fitted to the detector's 21 landmarks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hamer_ros.camera import CameraModel, View
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hand_model.skinning import forward, relative_to_wrist
from hamer_ros.hands import Detection, Frame, Hand, Landmarks, Side
from hamer_ros.placement.shared_errors import ON_PEOPLE
from hamer_ros.placement.visibility import visibility
from hamer_ros.recovery.kinematics import Pose
from hamer_ros.recovery.landmark_fit import Evidence, Fit, LandmarkFit
from hamer_ros.rotations import exp_so3, mirror_rotation, mirror_rotation_vector

POOR_FIT = 0.04
"""Reprojection rms over hand size above which a warm start is not believed."""

_MIRROR = np.array([-1.0, 1.0, 1.0])


class LandmarkRecoverer:
    """Recovers pose and shape from ``Detection.landmarks``; follows a region from frame to frame.

    A hand that was there in the last frame starts from its last pose: that halves the time and
    keeps the fit in the same valley.
    """

    name = "landmarks"
    engine = "numpy"

    def __init__(self, model: HandModel) -> None:
        self.model = model
        self._fit = LandmarkFit(model)
        self._last: dict[int, tuple[Side, Pose]] = {}

    def reset(self) -> None:
        """Forget the last frame."""
        self._last.clear()

    def recover(self, frame: Frame, detections: Sequence[Detection]) -> list[Hand]:
        """One hand for every detection that has landmarks in the image, in the same order."""
        poses: dict[int, tuple[Side, Pose]] = {}
        hands = []
        for detection in detections:
            landmarks = detection.landmarks
            if landmarks is None:
                continue
            seen = visibility(landmarks.pixels, frame.camera.width, frame.camera.height)
            if not seen.any():
                continue
            view = frame.camera.view_towards(landmarks.pixels.mean(0))
            evidence = _evidence(frame.camera, landmarks, detection.side, view, seen)
            fit = self._follow(detection, evidence)
            poses[detection.region] = detection.side, fit.pose
            hands.append(self._hand(detection, landmarks, view, fit, seen))
        self._last = poses
        return hands

    def _follow(self, detection: Detection, evidence: Evidence) -> Fit:
        side, start = self._last.get(detection.region, (None, None))
        if start is None or side is not detection.side:
            return self._fit.fit(evidence)
        warm = self._fit.fit(evidence, start, iterations=8)
        if warm.rms_px < POOR_FIT * evidence.size:
            return warm
        return min(warm, self._fit.fit(evidence), key=lambda fit: fit.cost)

    def _hand(
        self,
        detection: Detection,
        landmarks: Landmarks,
        view: View,
        fit: Fit,
        seen: np.ndarray,
    ) -> Hand:
        hand_pose = self._fit.kinematics.rotation_vectors(fit.pose.angles)
        rotations = np.concatenate([np.eye(3)[None], exp_so3(hand_pose)])
        skinned = relative_to_wrist(forward(self.model, rotations, fit.pose.betas))
        vertices, joints = skinned.vertices, skinned.joints
        orientation = fit.pose.orientation
        if detection.side is Side.LEFT:
            vertices, joints = vertices * _MIRROR, joints * _MIRROR
            orientation = mirror_rotation(orientation)
            hand_pose = mirror_rotation_vector(hand_pose)
        return Hand(
            detection=detection,
            orientation=view.rotation @ orientation,
            hand_pose=hand_pose,
            betas=fit.pose.betas,
            vertices=vertices,
            joints=joints,
            keypoints=landmarks.pixels,
            keypoint_scores=landmarks.presence * seen,
            shared_errors=ON_PEOPLE,
        )


def _evidence(
    camera: CameraModel, landmarks: Landmarks, side: Side, view: View, seen: np.ndarray
) -> Evidence:
    """The landmarks as the view sees them, those of a left hand mirrored to a right one."""
    rays = camera.unproject(landmarks.pixels) @ view.rotation
    pixels, world = view.focal * rays[:, :2] / rays[:, 2:], landmarks.world
    if side is Side.LEFT:
        pixels, world = pixels * _MIRROR[:2], world * _MIRROR
    return Evidence(pixels, world, view.focal, seen)
