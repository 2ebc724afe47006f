"""Skinning in torch is skinning in numpy, for many hands at once."""

from __future__ import annotations

import numpy as np
import pytest

from hamer_ros.bench.golden import mano_fields
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hand_model.skinning import forward
from hamer_ros.hand_model.topology import FINGERTIP_VERTICES, OPENPOSE_FROM_MANO, SKELETON_CHAINS
from hamer_ros.rotations import exp_so3

torch = pytest.importorskip("torch")
from hamer_ros.hand_model.skinning_torch import TorchSkinning  # noqa: E402


@pytest.fixture(scope="module")
def model():
    """Made up, with pose correctives and dense skinning weights: every term counts."""
    return HandModel.from_fields("made up", mano_fields(), "golden")


def poses(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    return exp_so3(rng.normal(scale=0.8, size=(n, 16, 3))), rng.normal(scale=2, size=(n, 10))


def skin(model, rotations, betas):
    vertices, joints = TorchSkinning(model)(
        torch.from_numpy(rotations.astype(np.float32)), torch.from_numpy(betas.astype(np.float32))
    )
    return vertices.numpy(), joints.numpy()


def test_the_chains_are_what_torch_relies_on():
    """Five fingers of three joints, one after the other."""
    assert [joint for chain in SKELETON_CHAINS.values() for joint in chain] == list(range(1, 16))
    assert {len(chain) for chain in SKELETON_CHAINS.values()} == {3}


@pytest.mark.parametrize("packaged", [False, True])
def test_every_hand_of_a_batch_equals_numpy(model, packaged):
    tested = HandModel.default() if packaged else model
    rotations, betas = poses(5)
    vertices, joints = skin(tested, rotations, betas)
    assert vertices.dtype == np.float32
    for i in range(5):
        expected = forward(tested, rotations[i], betas[i])
        np.testing.assert_allclose(vertices[i], expected.vertices, atol=1e-6)
        np.testing.assert_allclose(joints[i], expected.joints, atol=1e-6)


def test_hands_of_a_batch_do_not_touch_each_other(model):
    rotations, betas = poses(3)
    together, _ = skin(model, rotations, betas)
    alone, _ = skin(model, rotations[1:2], betas[1:2])
    np.testing.assert_allclose(together[1], alone[0], atol=1e-7)
    assert np.abs(together[1] - together[0]).max() > 0.01


def test_it_equals_smplx(model):
    """smplx with the arithmetic of HaMeR: float32, rotation matrices, no mean pose."""
    lbs = pytest.importorskip("smplx.lbs").lbs
    rotations, betas = poses(4)
    fields = mano_fields()

    def tensor(array):
        return torch.from_numpy(np.asarray(array, np.float32))

    vertices, skeleton = lbs(
        betas=tensor(betas),
        pose=tensor(rotations),
        v_template=tensor(fields["v_template"])[None],
        shapedirs=tensor(fields["shapedirs"]),
        posedirs=tensor(fields["posedirs"].reshape(-1, 135).T),
        J_regressor=tensor(fields["J_regressor"]),
        parents=torch.tensor(model.parents),
        lbs_weights=tensor(fields["weights"]),
        pose2rot=False,
    )
    found, joints = skin(model, rotations, betas)
    np.testing.assert_allclose(found, vertices.numpy(), atol=1e-6)
    tips = vertices[:, list(FINGERTIP_VERTICES.values())]
    expected = torch.cat([skeleton, tips], 1)[:, list(OPENPOSE_FROM_MANO)]
    np.testing.assert_allclose(joints, expected.numpy(), atol=1e-6)
