"""What leaves the node: messages, transforms and markers that say what the hands are."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from helpers import CAMERA, MIRROR, MODEL, hand_at, placed_at

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("hamer_ros.msg", reason="needs the built messages")

from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from hamer_ros.demo.client_process import seen_frame
from hamer_ros.geometry.rotations import exp_so3, matrix_from_quaternion
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hand_model.skinning import forward, relative_to_wrist
from hamer_ros.hand_model.topology import JOINT_NAMES
from hamer_ros.hands import Frame, Hand, Handedness, TrackedHand, TrackState
from hamer_ros.msg import HandMesh, HandMeshArray
from hamer_ros.rendering.overlay import draw_hands
from hamer_ros.ros.output.frame_names import KEEP_FOR, FrameNames
from hamer_ros.ros.output.markers import hand_markers
from hamer_ros.ros.output.messages import (
    hand_mesh_array,
    hand_topology,
    wrist_transforms,
)
from hamer_ros.tracking import Tracker

HEADER = Header(frame_id="camera_optical_frame")
HEADER.stamp.sec, HEADER.stamp.nanosec = 12, 34


def tracked(handedness: Handedness = Handedness.RIGHT, number: int = 3, **where) -> TrackedHand:
    placed = placed_at(handedness=handedness, **where)
    return TrackedHand(placed, number, TrackState.TRACKED, placed)


def test_a_message_holds_the_hand():
    hand = tracked(Handedness.LEFT)
    array = hand_mesh_array([hand], HEADER, estimator="e", model=MODEL)
    array = deserialize_message(serialize_message(array), HandMeshArray)
    assert (array.estimator, array.hand_model, array.header) == ("e", MODEL.name, HEADER)
    (mesh,) = array.hands
    assert mesh.handedness == HandMesh.LEFT
    assert mesh.track_id == 3
    assert mesh.track_state == HandMesh.TRACKED
    joints = np.asarray(mesh.joints).reshape(21, 3)
    np.testing.assert_allclose(joints, hand.placed.joints, atol=1e-6)
    vertices = np.asarray(mesh.vertices).reshape(778, 3)
    np.testing.assert_allclose(vertices, hand.placed.vertices, atol=1e-6)
    np.testing.assert_allclose(
        np.asarray(mesh.wrist.covariance).reshape(6, 6), hand.placed.covariance
    )


def test_the_wrist_pose_carries_the_hand_to_its_joints():
    hand = tracked()
    mesh = hand_mesh_array([hand], HEADER, estimator="e", model=MODEL).hands[0]
    p, q = mesh.wrist.pose.position, mesh.wrist.pose.orientation
    rotation = matrix_from_quaternion(np.array([q.x, q.y, q.z, q.w]))
    joints = hand.placed.hand.joints @ rotation.T + [p.x, p.y, p.z]
    np.testing.assert_allclose(joints.ravel(), mesh.joints, atol=1e-6)


def rebuilt(mesh: HandMesh, model: HandModel) -> np.ndarray:
    """(778, 3) the surface from a message's parameters, as a client with smplx would have it."""
    mirror = np.array([-1.0, 1, 1]) if mesh.handedness == HandMesh.LEFT else np.ones(3)
    # Rotation vectors are mirrored as S R S is.
    vectors = np.reshape(mesh.hand_pose, (15, 3)) * mirror.prod() * mirror
    turns = [np.eye(3), *(cv2.Rodrigues(vector)[0] for vector in vectors)]
    shaped = model.v_template + np.einsum("vcb,b->vc", model.shapedirs, np.asarray(mesh.betas))
    joints = model.joint_regressor @ shaped
    features = np.concatenate([(turn - np.eye(3)).ravel() for turn in turns[1:]])
    shaped = shaped + model.posedirs @ features
    chain = []
    for joint, parent in enumerate(model.parents):
        local = np.eye(4)
        local[:3, :3] = turns[joint]
        local[:3, 3] = joints[joint] - (joints[parent] if joint else 0)
        chain.append(chain[parent] @ local if joint else local)
    wrist = chain[0][:3, 3]
    vertices = np.zeros_like(shaped)
    for joint, transform in enumerate(chain):
        moved = (shaped - joints[joint]) @ transform[:3, :3].T + transform[:3, 3]
        vertices += model.weights[:, joint, None] * moved
    p, q = mesh.wrist.pose.position, mesh.wrist.pose.orientation
    turn = matrix_from_quaternion(np.array([q.x, q.y, q.z, q.w]))
    return mesh.scale * (vertices - wrist) * mirror @ turn.T + [p.x, p.y, p.z]


@pytest.mark.parametrize("handedness", list(Handedness))
@pytest.mark.parametrize("grown", [0.9, 1.08])
@pytest.mark.parametrize("correctives", [False, True])
def test_the_surface_follows_from_the_parameters(handedness, grown, correctives):
    rng = np.random.default_rng(5)
    model = MODEL
    if correctives:  # as MANO has them
        model = dataclasses.replace(MODEL, posedirs=1e-3 * rng.normal(size=MODEL.posedirs.shape))
    placed = dataclasses.replace(tracked(handedness).placed, scale=grown)
    if correctives:
        turned = np.concatenate([np.zeros((1, 3)), right_pose(placed.hand)])
        vertices = relative_to_wrist(forward(model, exp_so3(turned), placed.hand.betas)).vertices
        vertices = vertices * (MIRROR if handedness is Handedness.LEFT else 1)
        placed = dataclasses.replace(
            placed, hand=dataclasses.replace(placed.hand, vertices=vertices)
        )
    hand = TrackedHand(placed, 1, TrackState.TRACKED, placed)
    (mesh,) = hand_mesh_array([hand], HEADER, estimator="e", model=model).hands
    np.testing.assert_allclose(rebuilt(mesh, model), placed.vertices, atol=1e-6)
    assert mesh.scale == pytest.approx(grown if correctives else 1.0)


def right_pose(hand: Hand) -> np.ndarray:
    return hand.hand_pose * ([1, -1, -1] if hand.handedness is Handedness.LEFT else [1, 1, 1])


def test_a_smoothed_hand_follows_from_its_parameters():
    rng = np.random.default_rng(6)
    tracker = Tracker(MODEL)
    for k in range(5):
        frame = Frame(np.zeros((480, 640, 3), np.uint8), k / 30, CAMERA)
        hand = hand_at(
            exp_so3(rng.normal(size=3) / 9), np.array([0, 0, 0.5]), Handedness.LEFT, seed=k
        )
        placed = dataclasses.replace(
            placed_at(handedness=Handedness.LEFT), hand=hand, scale=1 + 0.02 * k
        )
        (seen,) = tracker.track(frame, [placed])
        (mesh,) = hand_mesh_array([seen], HEADER, estimator="e", model=MODEL).hands
        np.testing.assert_allclose(
            rebuilt(mesh, MODEL).ravel(), np.asarray(mesh.vertices), atol=1e-6
        )


def test_vertices_can_be_left_out():
    array = hand_mesh_array([tracked()], HEADER, estimator="e", model=MODEL, with_vertices=False)
    assert len(array.hands[0].vertices) == 0


def test_a_number_that_is_not_finite_is_noticed_wherever_it_is():
    good = tracked()
    assert good.placed.is_finite
    for change in ({"reprojection_rms": np.nan}, {"translation": np.array([0, np.inf, 1])}):
        assert not dataclasses.replace(good.placed, **change).is_finite
    hand = dataclasses.replace(good.placed.hand, betas=np.full(10, np.nan))
    assert not dataclasses.replace(good.placed, hand=hand).is_finite


def test_the_topology_fits_the_vertices():
    topology = hand_topology(MODEL)
    assert list(topology.joint_names) == list(JOINT_NAMES)
    for faces, mirror in ((topology.right_faces, 1), (topology.left_faces, -1)):
        triangles = np.asarray(faces).reshape(-1, 3)
        corners = (MODEL.v_template * [mirror, 1, 1])[triangles]
        volume = np.linalg.det(corners).sum() / 6  # positive if the faces look outwards
        assert 1e-4 < volume < 1e-3


def test_transforms_are_the_wrists_at_the_images_stamp():
    hands = [tracked(Handedness.LEFT, 1), tracked(Handedness.RIGHT, 2, translation=(0.1, 0.2, 0.7))]
    left, right = wrist_transforms(hands, HEADER, ["hand_left", "hand_right"])
    assert left.header == HEADER
    assert (left.child_frame_id, right.child_frame_id) == ("hand_left", "hand_right")
    t = right.transform.translation
    assert (t.x, t.y, t.z) == (0.1, 0.2, 0.7)
    for transform in (left, right):
        q = transform.transform.rotation
        assert np.linalg.norm([q.x, q.y, q.z, q.w]) == pytest.approx(1)


def test_markers_take_the_place_of_those_before_and_lie_on_the_hand():
    hand = tracked()
    before, *markers = hand_markers([hand], HEADER, MODEL.faces).markers
    assert before.action == Marker.DELETEALL
    assert {m.ns for m in markers} == {"mesh", "skeleton"}
    for marker in markers:
        assert marker.header == HEADER
        assert marker.action == Marker.ADD
        assert marker.lifetime.sec > 0
        points = np.array([[p.x, p.y, p.z] for p in marker.points])
        low, high = hand.placed.vertices.min(0) - 1e-6, hand.placed.vertices.max(0) + 1e-6
        assert ((points >= low) & (points <= high)).all()


def test_hands_that_are_predicted_are_faint_and_a_client_of_the_demo_leaves_them_out():
    hand = tracked()
    predicted = dataclasses.replace(hand, state=TrackState.COASTED, raw=None)
    opacity = [
        next(m for m in hand_markers([h], HEADER, MODEL.faces).markers if m.ns == "mesh").color.a
        for h in (hand, predicted)
    ]
    assert opacity[1] < 0.5 < opacity[0]
    grey = np.full((480, 640, 3), 128, np.uint8)
    drawn, faint = (draw_hands(grey, [h], CAMERA, MODEL.faces) for h in (hand, predicted))
    assert (
        0 < np.abs(faint.astype(int) - grey).mean() < 0.6 * np.abs(drawn.astype(int) - grey).mean()
    )
    message = hand_mesh_array(
        [hand, dataclasses.replace(predicted, track_id=4)], HEADER, estimator="e", model=MODEL
    )
    assert [h.track_id for h in seen_frame(0, message).hands] == [hand.track_id]


def test_frame_names_are_few_and_stay_with_their_hand():
    names = FrameNames("cam0_")
    a, b, c = tracked(Handedness.LEFT, 1), tracked(Handedness.LEFT, 2), tracked(Handedness.RIGHT, 3)
    assert names.assign([a, b, c], 0.0) == ["cam0_hand_left", "cam0_hand_left_2", "cam0_hand_right"]
    assert names.assign([b], 0.5) == ["cam0_hand_left_2"]
    # The first hand is long gone, its name goes to the next one; the second keeps its own.
    d = tracked(Handedness.LEFT, 4)
    assert names.assign([b], 0.5 + KEEP_FOR) == ["cam0_hand_left_2"]
    assert names.assign([d, b], 0.6 + KEEP_FOR) == ["cam0_hand_left", "cam0_hand_left_2"]
