"""The estimator ``hamer``: HaMeR's network on a crop of every hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hamer_ros.camera.model import CameraModel
from hamer_ros.geometry.rotations import (
    log_so3,
    mirror_points,
    mirror_rotation,
    mirror_rotation_vector,
)
from hamer_ros.hamer.backend import Backend
from hamer_ros.hamer.crops import CropError, CropSquare, cut_crops, hand_square
from hamer_ros.hamer.postprocess import crop_keypoints
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hand_model.skinning import forward, relative_to_wrist
from hamer_ros.hands import Detection, Frame, Hand, Handedness
from hamer_ros.shared_errors import ON_PEOPLE
from hamer_ros.visibility import visibility

SIZE_SIGMA = 0.05
"""Relative standard deviation of the network's error in the size of one person's hand."""


class HamerEstimator:
    """Estimates pose, shape and keypoints from the boxes of detections; keeps nothing of a frame.

    backend: runs the network.
    model: MANO's right hand; the network knows no other shape space.
    """

    name = "hamer"

    def __init__(self, backend: Backend, model: HandModel) -> None:
        self.model = model
        self.engine = backend.description
        self._backend = backend

    def reset(self) -> None:
        """Do nothing: there is nothing to forget."""

    def estimate(self, frame: Frame, detections: Sequence[Detection]) -> list[Hand]:
        """Estimate one hand for every detection, in the same order.

        Left out are boxes of which there is no crop (`CropError`), and hands whose scale the
        network says is not positive: they would lie behind the crop's camera.
        """
        height, width = frame.rgb.shape[:2]
        cut: list[tuple[Detection, CropSquare]] = []
        for detection in detections:
            try:
                square = hand_square(detection.bounding_box, detection.handedness, width, height)
            except CropError:
                continue
            cut.append((detection, square))
        if not cut:
            return []
        crops = cut_crops([(frame.rgb, square) for _, square in cut])
        output = self._backend(crops, frame.check_wanted)
        rotations = np.concatenate([output.global_orient[:, None], output.hand_pose], axis=1)
        estimated = zip(cut, rotations, output.betas, output.camera, strict=True)
        return [
            self._hand(frame.camera, detection, square, turns, betas, camera)
            for (detection, square), turns, betas, camera in estimated
            if camera[0] > 0.0
        ]

    def _hand(
        self,
        camera: CameraModel,
        detection: Detection,
        square: CropSquare,
        rotations: np.ndarray,
        betas: np.ndarray,
        crop_camera: np.ndarray,
    ) -> Hand:
        rotations, betas = rotations.astype(float), betas.astype(float)
        orientation, hand_pose = rotations[0], log_so3(rotations[1:])
        flat = np.concatenate([np.eye(3)[None], rotations[1:]])
        at_rest = forward(self.model, flat, betas)
        skinned = relative_to_wrist(at_rest)
        vertices, joints = skinned.vertices, skinned.joints
        # The hand turns about its wrist, which is not the model's origin.
        in_crop = joints @ orientation.T + at_rest.joints[0]
        keypoints = square.to_image(crop_keypoints(in_crop, crop_camera))
        if detection.handedness is Handedness.LEFT:
            vertices, joints = mirror_points(vertices), mirror_points(joints)
            orientation = mirror_rotation(orientation)
            hand_pose = mirror_rotation_vector(hand_pose)
        # The crop's camera looks straight at its centre, whereas the image's sees it from aside.
        view = camera.view_towards(square.center)
        return Hand(
            detection=detection,
            orientation=view.rotation @ orientation,
            hand_pose=hand_pose,
            betas=betas,
            vertices=vertices,
            joints=joints,
            keypoints=keypoints,
            keypoint_scores=detection.score * visibility(keypoints, camera.width, camera.height),
            size_sigma=SIZE_SIGMA,
            shared_errors=ON_PEOPLE,
        )
