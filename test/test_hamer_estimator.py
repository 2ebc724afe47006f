"""The estimator ``hamer`` between detections and placement, with a network that is made up."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from helpers import MODEL

from hamer_ros.camera.model import CameraModel
from hamer_ros.geometry.rotations import exp_so3, log_so3, mirror_rotation
from hamer_ros.hamer.backend import HamerOutput
from hamer_ros.hamer.hamer_estimator import HamerEstimator
from hamer_ros.hands import Detection, Frame, Handedness
from hamer_ros.placement.placer import Placer

CAMERA = CameraModel(640, 480, 320.0, 320.0, 319.5, 239.5)
IMAGE = np.full((480, 640, 3), 90, np.uint8)
POSE = exp_so3(0.2 * np.random.default_rng(0).normal(size=(15, 3)))
BETAS = np.zeros(10)


class Network:
    """Says of every crop what it is told to say, and remembers what it was shown."""

    description = "made up"

    def __init__(self, *orientations, scale=5.0):
        self.orientations, self.scale = np.array(orientations), scale
        self.calls = []

    def __call__(self, crops, check=None):
        self.calls.append(crops)
        n = len(crops)
        camera = np.tile([self.scale, 0.0, 0.0], (n, 1))
        return HamerOutput(
            np.resize(self.orientations, (n, 3, 3)), np.tile(POSE, (n, 1, 1, 1)),
            np.tile(BETAS, (n, 1)), camera,
        )  # fmt: skip


def detected(box, handedness=Handedness.RIGHT, detection_id=0):
    return Detection(np.array(box, float), handedness, 0.95, 0.7, detection_id)


def estimate(network, *detections):
    return HamerEstimator(network, MODEL).estimate(Frame(IMAGE, 0.0, CAMERA), detections)


def test_all_hands_of_a_frame_are_one_batch_in_their_order():
    network = Network(np.eye(3))
    detections = [
        detected([100, 100, 180, 200], Handedness.RIGHT, 3),
        detected([400, 200, 500, 330], Handedness.LEFT, 5),
    ]
    hands = estimate(network, *detections)
    assert [crops.shape for crops in network.calls] == [(2, 3, 256, 256)]
    assert network.calls[0].dtype == np.float32
    assert [hand.detection for hand in hands] == detections
    for hand in hands:
        assert hand.vertices.shape == (778, 3)
        np.testing.assert_array_equal(hand.joints[0], 0.0)
        np.testing.assert_array_equal(hand.keypoint_scores, np.full(21, 0.7))


def test_no_hands_do_not_wake_the_network():
    network = Network(np.eye(3))
    assert estimate(network) == []
    assert network.calls == []


def test_a_box_without_a_crop_is_left_out():
    network = Network(np.eye(3))
    good = detected([100, 100, 180, 200], detection_id=2)
    bad = (
        detected([100, 100, 100, 200], detection_id=1),
        detected([5000, 0, 5100, 90], detection_id=3),
    )
    hands = estimate(network, bad[0], good, bad[1])
    assert [hand.detection for hand in hands] == [good]
    assert len(network.calls[0]) == 1
    assert estimate(network, *bad) == []


@pytest.mark.parametrize("scale", [0.0, -3.0, np.nan])
def test_a_hand_behind_the_crops_camera_is_left_out(scale):
    assert estimate(Network(np.eye(3), scale=scale), detected([100, 100, 180, 200])) == []


def test_a_left_hand_is_the_mirror_image_of_a_right_one():
    """The same hand in the mirror: its box, its shape, its pose and its keypoints."""
    turn = exp_so3(np.array([0.4, 0.9, -1.1]))
    (right,) = estimate(Network(turn), detected([400, 150, 500, 280], Handedness.RIGHT))
    (left,) = estimate(Network(turn), detected([139, 150, 239, 280], Handedness.LEFT))
    mirror = np.array([-1.0, 1.0, 1.0])
    np.testing.assert_allclose(left.vertices, right.vertices * mirror, atol=1e-12)
    np.testing.assert_allclose(left.joints, right.joints * mirror, atol=1e-12)
    np.testing.assert_allclose(left.orientation, mirror_rotation(right.orientation), atol=1e-9)
    np.testing.assert_allclose(
        exp_so3(left.hand_pose), mirror_rotation(exp_so3(right.hand_pose)), atol=1e-9
    )
    np.testing.assert_allclose(left.keypoints, right.keypoints * mirror[:2] + [639, 0], atol=1e-6)
    np.testing.assert_array_equal(left.betas, right.betas)


def place(hand):
    (placed,) = Placer(MODEL.faces).place(Frame(IMAGE, 0.0, CAMERA), [hand])
    return placed


def degrees_between(a, b):
    return np.degrees(np.linalg.norm(log_so3(a @ b.T)))


@pytest.mark.parametrize("handedness", list(Handedness))
def test_a_hand_at_the_edge_of_the_view_is_turned_back(handedness):
    """The network sees the hand straight from the front; the camera sees it 34 degrees aside.

    The keypoints say so as well: a placement that starts from what the network saw, without the
    viewing direction, turns most of the way by itself.
    """
    seen = exp_so3(1.2 * np.random.default_rng(2).normal(size=3))
    (hand,) = estimate(Network(seen), detected([500, 200, 580, 300], handedness))
    own = mirror_rotation(seen) if handedness is Handedness.LEFT else seen
    aside = CAMERA.view_towards(np.array([540.0, 250.0])).rotation
    assert degrees_between(aside, np.eye(3)) == pytest.approx(34.6, abs=0.5)
    np.testing.assert_allclose(hand.orientation, aside @ own, atol=1e-9)
    unturned = place(dataclasses.replace(hand, orientation=own))
    assert degrees_between(unturned.rotation, own) > 25
    assert degrees_between(unturned.rotation, hand.orientation) < 12
    assert degrees_between(place(hand).rotation, hand.orientation) < 12
