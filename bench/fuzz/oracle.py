"""The oracle for the node's answers: finite, consistent, and in the frame of their image."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import numpy as np
from geometry_msgs.msg import Quaternion
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from hamer_ros.msg import HandMesh, HandMeshArray

_CHILD = re.compile(r"hand_(left|right)(_[2-9]|_1[0-6])?")
_N_VERTICES = 778


def check_answer(array: HandMeshArray, transforms: Iterable[TFMessage]) -> list[str]:
    """Return the faults of the messages that answer an image, under whose header the hands are."""
    faults = []
    if not (array.estimator and array.hand_model):
        faults.append("hands without estimator or hand_model")
    ids = [hand.track_id for hand in array.hands]
    if len(set(ids)) < len(ids):
        faults.append(f"track ids are {ids}; no two hands have the same")
    for hand in array.hands:
        faults += check_hand(hand)
    return faults + list(_check_transforms(array, transforms))


def visible_hands(array: HandMeshArray) -> list[HandMesh]:
    """Return the hands that are in the image; others are predicted and have no transform."""
    return [hand for hand in array.hands if hand.track_state in (HandMesh.NEW, HandMesh.TRACKED)]


def check_hand(hand: HandMesh) -> Iterator[str]:
    """Yield the faults of one hand."""
    position = hand.wrist.pose.position
    wrist = np.array([position.x, position.y, position.z])
    covariance = np.asarray(hand.wrist.covariance).reshape(6, 6)
    joints = np.asarray(hand.joints).reshape(21, 3)
    numbers = {
        "wrist": wrist,
        "covariance": covariance,
        "joints": joints,
        **{
            name: np.asarray(getattr(hand, name))
            for name in (
                "vertices",
                "keypoints",
                "keypoint_scores",
                "reprojection_rms",
                "bounding_box",
                "betas",
                "hand_pose",
                "handedness_score",
                "detection_score",
            )
        },
    }
    not_finite = [name for name, values in numbers.items() if not np.isfinite(values).all()]
    if not_finite:
        yield f"not finite: {', '.join(not_finite)}"
        return
    if hand.handedness not in (HandMesh.LEFT, HandMesh.RIGHT):
        yield f"handedness is {hand.handedness}"
    for name in ("handedness_score", "detection_score"):
        if not 0 <= getattr(hand, name) <= 1:
            yield f"{name} is {getattr(hand, name)}, not between 0 and 1"
    if len(hand.vertices) not in (0, 3 * _N_VERTICES):
        yield f"{len(hand.vertices)} numbers in vertices"
    if wrist[2] <= 0:
        yield f"the wrist is behind the camera, at z = {wrist[2]}"
    if not np.allclose(joints[0], wrist, rtol=1e-5, atol=1e-5):
        yield f"joint 0 is at {joints[0]}, the wrist at {wrist}"
    if not np.allclose(covariance, covariance.T, rtol=1e-6, atol=0):
        yield "the covariance is not symmetric"
    # In units of its own deviations, since metres and radians may differ by orders of magnitude.
    deviation = np.sqrt(np.maximum(np.diag(covariance), 0))
    if (deviation <= 0).any():
        yield f"variances are {np.diag(covariance)}; none may be zero"
    elif np.linalg.eigvalsh(covariance / np.outer(deviation, deviation)).min() < -1e-9:
        yield "the covariance is not positive"
    yield from _check_quaternion("wrist", hand.wrist.pose.orientation)


def _check_transforms(array: HandMeshArray, messages: Iterable[TFMessage]) -> Iterator[str]:
    transforms = [transform for message in messages for transform in message.transforms]
    hands = visible_hands(array)
    if len(transforms) != len(hands):
        yield f"{len(transforms)} transforms for {len(hands)} hands that were seen"
        return
    names = [transform.child_frame_id for transform in transforms]
    if len(set(names)) < len(names) or not all(map(_CHILD.fullmatch, names)):
        yield f"frames of the hands are {names}"
    for transform, hand in zip(transforms, hands, strict=True):
        if transform.header != array.header:
            image = header_text(array.header)
            yield f"/tf under {header_text(transform.header)}, the image had {image}"
        translation, position = transform.transform.translation, hand.wrist.pose.position
        if (translation.x, translation.y, translation.z) != (position.x, position.y, position.z):
            yield f"{transform.child_frame_id} is at {translation}, its wrist at {position}"
        yield from _check_quaternion(transform.child_frame_id, transform.transform.rotation)


def _check_quaternion(name: str, q: Quaternion) -> Iterator[str]:
    norm = float(np.linalg.norm([q.x, q.y, q.z, q.w]))
    if not abs(norm - 1) < 1e-6:
        yield f"the quaternion of {name} has norm {norm}"


def header_text(header: Header) -> str:
    """Return a header for people."""
    return f"stamp {header.stamp.sec}.{header.stamp.nanosec:09d} frame '{header.frame_id[:40]}'"
