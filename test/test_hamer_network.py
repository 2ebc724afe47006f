"""The network is HaMeR's: on the same weights it gives what the official implementation gives.

The recorded outputs are of random weights, which `bench.golden` makes again; they come
from another program, another attention and another order of the same sums.
"""

from __future__ import annotations

import numpy as np
import pytest

from bench.golden import MEAN, STD, mano_fields, recorded
from hamer_ros.camera.model import CameraModel
from hamer_ros.geometry.rotations import exp_so3, mirror_rotation
from hamer_ros.hamer.backend import HamerOutput
from hamer_ros.hamer.crops import CropSquare
from hamer_ros.hamer.hamer_estimator import HamerEstimator
from hamer_ros.hamer.postprocess import (
    crop_keypoints,
    crop_translation,
    full_translation,
    scaled_focal,
)
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hand_model.skinning import forward
from hamer_ros.hands import Detection, Frame, Handedness

torch = pytest.importorskip("torch")
from bench.seeded_network import seeded_network  # noqa: E402
from hamer_ros.hamer.rotation6d import matrix_from_6d  # noqa: E402
from hamer_ros.hamer.torch_backend import TorchBackend  # noqa: E402

HUNDREDTH_OF_A_MILLIMETRE = 1e-5
FIELDS = {"global_orient": 2e-5, "hand_pose": 2e-5, "betas": 2e-5}
WIDTH, HEIGHT = 1280, 720


def batch_of_crops():
    return (recorded("batch")["pixels"] - MEAN[:, None, None]) / STD[:, None, None]


@pytest.fixture(scope="module")
def network():
    return seeded_network()


@pytest.fixture(scope="module")
def backend(network):
    return TorchBackend(network)


@pytest.fixture(scope="module")
def model():
    return HandModel.from_fields("made up", mano_fields(), "golden")


@pytest.fixture(scope="module")
def batch(backend):
    """Two crops, with what they should give and do give."""
    return recorded("batch"), backend(batch_of_crops())


@pytest.fixture(scope="module")
def frame(backend):
    """Seven hands of an image, four right and three left, from the recorded crops."""
    expected = recorded("frame")
    return expected, backend(expected["crops"])


def skin(model, output):
    rotations = np.concatenate([output.global_orient[:, None], output.hand_pose], axis=1)
    hands = [
        forward(model, turns, betas)
        for turns, betas in zip(rotations.astype(float), output.betas.astype(float), strict=True)
    ]
    return np.stack([hand.vertices for hand in hands]), np.stack([hand.joints for hand in hands])


# The network


def test_features_of_the_backbone(network):
    expected = recorded("batch")
    with torch.inference_mode():
        features = network.backbone(torch.from_numpy(batch_of_crops()[:1, ..., 32:-32])).numpy()
    assert features.shape == (1, 192, 1280)
    some = features[:, expected["feature_tokens"]]
    assert np.abs(expected["features"]).mean() > 0.1
    np.testing.assert_allclose(some, expected["features"][:1], atol=5e-5)


@pytest.mark.parametrize("which", ["batch", "frame"])
def test_parameters(request, which):
    expected, found = request.getfixturevalue(which)
    for name, bound in FIELDS.items():
        np.testing.assert_allclose(getattr(found, name), expected[name], atol=bound, err_msg=name)
    # Recorded as the network gave it, before the x of left hands was mirrored back.
    np.testing.assert_allclose(found.camera, expected["camera"], rtol=1e-4)
    # The hands differ, or the comparison would be of the mean hand with itself.
    assert np.ptp(expected["betas"], axis=0).max() > 0.1
    assert np.ptp(expected["camera"], axis=0).max() > 0.1


def test_surface_joints_and_keypoints(batch, model):
    expected, found = batch
    vertices, joints = skin(model, found)
    np.testing.assert_allclose(vertices, expected["vertices"], atol=HUNDREDTH_OF_A_MILLIMETRE)
    np.testing.assert_allclose(joints, expected["joints"], atol=HUNDREDTH_OF_A_MILLIMETRE)
    keypoints = crop_keypoints(joints, found.camera)
    np.testing.assert_allclose(keypoints, expected["keypoints"], atol=1e-5)


def test_a_hand_alone_is_the_hand_in_a_batch(backend, batch):
    _, together = batch
    alone = backend(batch_of_crops()[1:])
    for name in (*FIELDS, "camera"):
        np.testing.assert_allclose(
            getattr(alone, name)[0], getattr(together, name)[1], atol=1e-5, err_msg=name
        )


# The hands of an image


def squares(expected):
    return [
        CropSquare(
            center.astype(float), float(size), Handedness.RIGHT if right else Handedness.LEFT
        )
        for center, size, right in zip(
            expected["box_center"], expected["box_size"], expected["right"], strict=True
        )
    ]


def test_translation_in_the_full_image(frame):
    expected, found = frame
    assert scaled_focal(WIDTH, HEIGHT) == expected["scaled_focal"] == 25000
    for name, focal in (
        ("translation", scaled_focal(WIDTH, HEIGHT)),
        ("translation_real_focal", float(expected["real_focal"])),
    ):
        translations = [
            full_translation(camera, square, focal, WIDTH, HEIGHT)
            for camera, square in zip(found.camera, squares(expected), strict=True)
        ]
        np.testing.assert_allclose(translations, expected[name], rtol=1e-4, atol=1e-6)


class Repeating:
    """A backend that has one answer."""

    description = "one answer"

    def __init__(self, output):
        self.output = output

    def __call__(self, crops, check=None):
        return self.output


def test_hands_of_both_sides(frame, model):
    """The estimator's hands, turned back into the crop's camera, are the official ones."""
    expected, found = frame
    camera = CameraModel(WIDTH, HEIGHT, 900.0, 900.0, 639.5, 359.5)
    estimator = HamerEstimator(Repeating(found), model)
    detections = [
        Detection(box[:4], square.handedness, 0.9, 0.8, detection_id)
        for detection_id, (box, square) in enumerate(
            zip(expected["boxes"], squares(expected), strict=True)
        )
    ]
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    hands = estimator.estimate(Frame(image, 0.0, camera), detections)
    assert [hand.handedness for hand in hands] == [
        Handedness.RIGHT if right else Handedness.LEFT for right in expected["right"]
    ]
    for i, (hand, square) in enumerate(zip(hands, squares(expected), strict=True)):
        in_crop = camera.view_towards(square.center).rotation.T @ hand.orientation
        wrist = expected["joints"][i, 0]
        for name in ("vertices", "joints"):
            points = getattr(hand, name) @ in_crop.T
            np.testing.assert_allclose(
                points, expected[name][i] - wrist, atol=HUNDREDTH_OF_A_MILLIMETRE
            )
        np.testing.assert_allclose(hand.keypoints, expected["keypoints"][i], atol=0.01)
        turns = exp_so3(hand.hand_pose)
        as_right = mirror_rotation(turns) if hand.handedness is Handedness.LEFT else turns
        np.testing.assert_allclose(as_right, expected["hand_pose"][i], atol=2e-5)
        np.testing.assert_allclose(hand.betas, expected["betas"][i], atol=2e-5)


# Parts


def test_rotations_from_six_numbers():
    rng = np.random.default_rng(0)
    rotations = exp_so3(rng.normal(size=(50, 3)))
    a1, a2 = rotations[..., 0], rotations[..., 1]
    # Neither the lengths nor the part of the second along the first matters.
    six = np.concatenate([3 * a1, 0.5 * a2 + 0.7 * a1], axis=-1)
    found = matrix_from_6d(torch.from_numpy(six)).numpy()
    np.testing.assert_allclose(found, rotations, atol=1e-12)


def test_the_crops_camera():
    """s = 5000 * 2 / (256 * 10) puts the hand at 10 m, where 1 m is 5000 / 256 / 10 of the crop."""
    camera = np.array([2 * 5000 / 2560, 0.2, -0.1])
    np.testing.assert_allclose(crop_translation(camera), [0.2, -0.1, 10.0], rtol=1e-9)
    keypoints = crop_keypoints(np.array([[0.0, 0.0, 0.0], [-0.2, 0.1, 0.0]]), camera)
    np.testing.assert_allclose(keypoints, [[0.2 * 1.953125, -0.1 * 1.953125], [0, 0]], atol=1e-9)


def test_outputs_are_arrays_of_the_documented_shapes(frame):
    _, found = frame
    assert isinstance(found, HamerOutput)
    shapes = [found.global_orient.shape, found.hand_pose.shape, found.betas.shape]
    assert shapes == [(7, 3, 3), (7, 15, 3, 3), (7, 10)]
    assert found.camera.shape == (7, 3)
