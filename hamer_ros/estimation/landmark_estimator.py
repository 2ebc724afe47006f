"""The estimator ``landmarks``: a hand model fitted to the detector's 21 landmarks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hamer_ros.camera.model import CameraModel, View
from hamer_ros.estimation.kinematics import Pose
from hamer_ros.estimation.landmark_fit import Evidence, Fit, LandmarkFit
from hamer_ros.geometry.rotations import (
    exp_so3,
    mirror_points,
    mirror_rotation,
    mirror_rotation_vector,
)
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hand_model.skinning import forward, relative_to_wrist
from hamer_ros.hands import Detection, Frame, Hand, Handedness, Landmarks
from hamer_ros.shared_errors import ON_PEOPLE
from hamer_ros.visibility import visibility

POOR_FIT = 0.04
"""Reprojection rms over hand size above which a warm start is not believed."""


class LandmarkEstimator:
    """Estimates pose and shape from ``Detection.landmarks``, following each detection id.

    A hand that was in the last frame starts from its last pose: that halves the time and keeps the
    fit in the same valley.
    """

    name = "landmarks"
    engine = "numpy"

    def __init__(self, model: HandModel) -> None:
        self.model = model
        self._fit = LandmarkFit(model)
        self._last: dict[int, tuple[Handedness, Pose]] = {}

    def reset(self) -> None:
        """Forget the last frame."""
        self._last.clear()

    def estimate(self, frame: Frame, detections: Sequence[Detection]) -> list[Hand]:
        """Estimate one hand for every detection with landmarks in the image, in the same order."""
        poses: dict[int, tuple[Handedness, Pose]] = {}
        hands = []
        for detection in detections:
            landmarks = detection.landmarks
            if landmarks is None:
                continue
            seen = visibility(landmarks.pixels, frame.camera.width, frame.camera.height)
            if not seen.any():
                continue
            view = frame.camera.view_towards(landmarks.pixels.mean(0))
            evidence = _evidence(frame.camera, landmarks, detection.handedness, view, seen)
            fit = self._follow(detection, evidence)
            poses[detection.detection_id] = detection.handedness, fit.pose
            hands.append(self._hand(detection, landmarks, view, fit, seen))
        self._last = poses
        return hands

    def _follow(self, detection: Detection, evidence: Evidence) -> Fit:
        handedness, start = self._last.get(detection.detection_id, (None, None))
        if start is None or handedness is not detection.handedness:
            return self._fit.fit(evidence)
        warm = self._fit.fit(evidence, start, iterations=8)
        if warm.reprojection_rms < POOR_FIT * evidence.size:
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
        if detection.handedness is Handedness.LEFT:
            vertices, joints = mirror_points(vertices), mirror_points(joints)
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
    camera: CameraModel, landmarks: Landmarks, handedness: Handedness, view: View, seen: np.ndarray
) -> Evidence:
    """The landmarks as the view sees them, those of a left hand mirrored to a right one."""
    rays = camera.unproject(landmarks.pixels) @ view.rotation
    pixels, world = view.focal * rays[:, :2] / rays[:, 2:], landmarks.world
    if handedness is Handedness.LEFT:
        pixels, world = mirror_points(pixels), mirror_points(world)
    return Evidence(pixels, world, view.focal, seen)
