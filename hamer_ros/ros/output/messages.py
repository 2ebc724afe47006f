"""Conversion of tracked hands to the messages and transforms that the node publishes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from geometry_msgs.msg import Pose, PoseWithCovariance, TransformStamped
from std_msgs.msg import Header

from hamer_ros.geometry.rotations import quaternion_from_matrix
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hand_model.topology import (
    JOINT_NAMES,
    JOINT_PARENTS,
    closed_faces,
    mirrored_faces,
)
from hamer_ros.hands import PlacedHand, TrackedHand
from hamer_ros.msg import HandMesh, HandMeshArray, HandTopology
from hamer_ros.ros.message_arrays import to_array, to_fixed


def hand_mesh_array(
    hands: Iterable[TrackedHand],
    header: Header,
    *,
    estimator: str,
    model: HandModel,
    with_vertices: bool = True,
) -> HandMeshArray:
    """Return all hands of one image as a message, under the image's own header."""
    return HandMeshArray(
        header=header,
        estimator=estimator,
        hand_model=model.name,
        hands=[hand_mesh(hand, model, with_vertices=with_vertices) for hand in hands],
    )


def hand_mesh(tracked: TrackedHand, model: HandModel, *, with_vertices: bool = True) -> HandMesh:
    """Return one hand as a message; model: the hand model that it was estimated with."""
    placed = tracked.placed
    hand = placed.hand
    betas, scale = _grown(hand.betas, placed.scale, model)
    message = HandMesh(
        handedness=int(hand.handedness),
        handedness_score=float(hand.detection.handedness_score),
        detection_score=float(hand.detection.score),
        track_id=tracked.track_id,
        track_state=int(tracked.state),
        wrist=wrist_pose(placed),
        joints=to_fixed(placed.joints),
        keypoints=to_fixed(hand.keypoints),
        keypoint_scores=to_fixed(hand.keypoint_scores),
        reprojection_rms=float(placed.reprojection_rms),
        scale_source=int(placed.scale_source),
        scale=scale,
        bounding_box=to_fixed(hand.detection.bounding_box),
        betas=to_fixed(betas),
        hand_pose=to_fixed(hand.hand_pose),
    )
    if with_vertices:
        message.vertices = to_array("f", placed.vertices)
    return message


def _grown(betas: np.ndarray, scale: float, model: HandModel) -> tuple[np.ndarray, float]:
    """Return the betas of a scaled hand, and the scale that they do not contain.

    A client that uses betas alone has the size of the hand, where the model's shapes allow it.
    """
    if model.growth is None:
        return betas, float(scale)
    return scale * betas + (scale - 1.0) * model.growth, 1.0


def wrist_pose(placed: PlacedHand) -> PoseWithCovariance:
    """Return the pose of the wrist in the header's frame."""
    pose = Pose()
    x, y, z = map(float, placed.translation)
    pose.position.x, pose.position.y, pose.position.z = x, y, z
    qx, qy, qz, qw = map(float, quaternion_from_matrix(placed.rotation))
    pose.orientation.x, pose.orientation.y = qx, qy
    pose.orientation.z, pose.orientation.w = qz, qw
    return PoseWithCovariance(pose=pose, covariance=placed.covariance.reshape(-1))


def wrist_transforms(
    hands: Sequence[TrackedHand], header: Header, frames: Sequence[str]
) -> list[TransformStamped]:
    """Return each hand's wrist as a transform from the image's frame to one of the named frames."""
    transforms = []
    for hand, frame in zip(hands, frames, strict=True):
        pose = wrist_pose(hand.placed).pose
        transform = TransformStamped(header=header, child_frame_id=frame)
        transform.transform.translation.x = pose.position.x
        transform.transform.translation.y = pose.position.y
        transform.transform.translation.z = pose.position.z
        transform.transform.rotation = pose.orientation
        transforms.append(transform)
    return transforms


def hand_topology(model: HandModel) -> HandTopology:
    """Return the message of what never changes about the hands of a model."""
    right = closed_faces(model.faces)
    return HandTopology(
        hand_model=model.name,
        joint_names=list(JOINT_NAMES),
        joint_parents=to_array("b", np.array(JOINT_PARENTS)),
        left_faces=to_array("I", mirrored_faces(right)),
        right_faces=to_array("I", right),
    )
