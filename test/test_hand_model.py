"""The hand model: its format, its surface, its skinning, and how it was sculpted."""

from __future__ import annotations

import pickle
from collections import Counter
from importlib import resources

import numpy as np
import pytest

from hamer_ros.geometry import rotations
from hamer_ros.hand_model import topology
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hand_model.skinning import forward, relative_to_wrist

PACKAGED = resources.files("hamer_ros.hand_model") / "data" / "hand.npz"
IDENTITIES = np.tile(np.eye(3), (16, 1, 1))


@pytest.fixture(scope="module")
def model():
    return HandModel.default()


@pytest.fixture(scope="module")
def fields(model):
    """The packaged file's arrays under MANO's names, to be spoilt by tests."""
    parents = np.array(topology.PARENTS, dtype=np.int64)
    return {
        "v_template": model.v_template,
        "shapedirs": model.shapedirs,
        "posedirs": model.posedirs,
        "J_regressor": model.joint_regressor,
        "weights": model.weights,
        "f": model.faces.astype(np.uint32),
        "kintree_table": np.stack([parents, np.arange(16)]).astype(np.uint32),
    }


def with_correctives(model, rng):
    """The same hand with pose correctives, which the packaged one has not."""
    posedirs = rng.normal(scale=1e-3, size=(778, 3, 135))
    return HandModel(
        "test", model.v_template, model.shapedirs, posedirs, model.joint_regressor,
        model.weights, model.faces, model.parents,
    )  # fmt: skip


def random_pose(rng):
    return rotations.exp_so3(rng.normal(scale=0.5, size=(16, 3))), rng.normal(size=10)


def directed_edges(faces):
    return Counter((int(f[k]), int(f[(k + 1) % 3])) for f in faces for k in range(3))


def signed_volume(vertices, faces):
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6.0)


# The joints


def test_joint_names_follow_openpose():
    fingers = [name.split("_")[0] for name in topology.JOINT_NAMES[1:]]
    expected = ["thumb"] * 4 + ["index"] * 4 + ["middle"] * 4 + ["ring"] * 4 + ["little"] * 4
    assert topology.JOINT_NAMES[0] == "wrist"
    assert fingers == expected
    assert [name for name in topology.JOINT_NAMES if name.endswith("tip")] == [
        topology.JOINT_NAMES[i] for i in (4, 8, 12, 16, 20)
    ]


def test_both_trees_of_joints_tell_the_same_parents():
    """MANO's tree, carried over into OpenPose's order, is the tree of the 21 joints."""
    tips = {16: 15, 17: 3, 18: 6, 19: 12, 20: 9}
    parents = {**dict(enumerate(topology.PARENTS)), **tips}
    place = {mano: i for i, mano in enumerate(topology.OPENPOSE_FROM_MANO)}
    carried = [-1] + [place[parents[mano]] for mano in topology.OPENPOSE_FROM_MANO[1:]]
    assert tuple(carried) == topology.JOINT_PARENTS
    assert len(topology.BONES) == 20


def test_joints_lie_where_the_frame_says(model):
    """A right hand: fingers along -x, thumb towards +z, palm facing -y."""
    hand = forward(model, IDENTITIES, np.zeros(10))
    joints = dict(zip(topology.JOINT_NAMES, hand.joints, strict=True))
    assert np.allclose(joints["wrist"], 0.0, atol=1e-6)
    order = ["thumb_tip", "index_tip", "middle_tip", "ring_tip", "little_tip"]
    z = [joints[name][2] for name in order]
    assert z == sorted(z, reverse=True)
    assert joints["middle_tip"][0] < joints["middle_proximal"][0] < -0.05
    assert 0.17 < np.linalg.norm(joints["middle_tip"]) < 0.21
    # Bending a finger about +z brings its tip towards the palm.
    bent = IDENTITIES.copy()
    bent[4] = rotations.exp_so3(np.array([0.0, 0.0, 0.8]))
    tip = forward(model, bent, np.zeros(10)).joints[12]
    assert tip[1] < joints["middle_tip"][1] - 0.03


# The surface


def test_the_surface_is_open_at_the_wrist_alone(model):
    edges = directed_edges(model.faces)
    assert max(edges.values()) == 1
    open_edges = {(a, b) for a, b in edges if (b, a) not in edges}
    ring = topology.WRIST_RING
    assert open_edges == {(ring[(i + 1) % 16], ring[i]) for i in range(16)}


def test_the_closing_faces_make_it_watertight(model):
    faces = topology.closed_faces(model.faces)
    edges = directed_edges(faces)
    assert faces.shape == (1552, 3)
    assert set(edges.values()) == {1}
    assert all((b, a) in edges for a, b in edges)
    assert 778 - len(edges) // 2 + len(faces) == 2
    assert len(np.unique(faces)) == 778


def test_the_surface_faces_outward_on_both_hands(model):
    faces = topology.closed_faces(model.faces)
    volume = signed_volume(model.v_template, faces)
    assert 2e-4 < volume < 5e-4
    mirrored = model.v_template @ rotations.MIRROR
    assert signed_volume(mirrored, topology.mirrored_faces(faces)) == pytest.approx(volume)


def test_triangles_are_well_shaped(model):
    corners = model.v_template[model.faces]
    sides = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)
    area = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    # 1 for an equilateral triangle, 0 for a sliver.
    quality = 2.0 * np.sqrt(3.0) * area / (sides**2).sum(axis=1)
    assert quality.min() > 0.2
    assert np.median(quality) > 0.85


def test_fingertips_are_the_ends_of_the_fingers(model):
    joints = forward(model, IDENTITIES, np.zeros(10)).joints
    for end in (4, 8, 12, 16, 20):
        along = joints[end] - joints[end - 1]
        near = np.linalg.norm(model.v_template - joints[end], axis=1) < 0.01
        beyond = (model.v_template[near] - joints[end]) @ along / np.linalg.norm(along)
        assert beyond.max() < 1.5e-3


# The data


def test_the_model_says_that_it_is_not_mano(model):
    assert model.name == "hamer_ros_hand_v1"


def test_weights_are_shares(model):
    assert model.weights.min() >= 0.0
    np.testing.assert_allclose(model.weights.sum(axis=1), 1.0, atol=1e-12)


def test_the_regressor_gives_the_joints_that_were_sculpted(model):
    anatomy = pytest.importorskip("tools.hand_model_generation.anatomy")
    found = model.joint_regressor @ model.v_template
    np.testing.assert_allclose(found, anatomy.skeleton(), atol=1e-7)


def test_the_first_beta_is_size(model):
    small, large = (forward(model, IDENTITIES, b * np.eye(10)[0]) for b in (0.0, 1.0))
    np.testing.assert_allclose(large.vertices, 1.06 * small.vertices, atol=1e-7)
    np.testing.assert_allclose(large.joints, 1.06 * small.joints, atol=1e-6)


@pytest.mark.parametrize("field", ["v_template", "weights", "J_regressor", "f"])
def test_a_wrong_shape_is_named(fields, field):
    spoilt = {**fields, field: fields[field][:-1]}
    with pytest.raises(ValueError, match=rf"somewhere\.npz: field '{field}' has shape .*expected"):
        HandModel.from_fields("x", spoilt, "somewhere.npz")


def test_a_missing_field_is_named(fields):
    rest = {name: array for name, array in fields.items() if name != "posedirs"}
    with pytest.raises(ValueError, match="field 'posedirs' is missing"):
        HandModel.from_fields("x", rest, "somewhere.npz")


@pytest.mark.parametrize(
    ("field", "index", "value"),
    [("v_template", (0, 0), np.nan), ("weights", (0, 0), -0.5), ("f", (0, 0), 778),
     ("kintree_table", (0, 5), 0)],
)  # fmt: skip
def test_senseless_values_are_named(fields, field, index, value):
    spoilt = {**fields, field: fields[field].copy()}
    spoilt[field][index] = value
    with pytest.raises(ValueError, match=f"field '{field}'"):
        HandModel.from_fields("x", spoilt, "somewhere.npz")


def test_a_file_is_read_back(fields, model, tmp_path):
    path = tmp_path / "some_hand.npz"
    np.savez(path, **fields)
    found = HandModel.load(path)
    assert found.name == "some_hand"
    np.testing.assert_array_equal(found.v_template, model.v_template)


def test_a_pickle_is_no_npz(tmp_path):
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(pickle.dumps({"v_template": 1}))
    with pytest.raises(ValueError, match=r"MANO_RIGHT\.pkl: not an \.npz"):
        HandModel.load(path)


# Skinning


def naive_skinning(model, turns, betas):
    """MANO's equations one vertex and one joint at a time, with 4 x 4 matrices."""
    shaped = model.v_template.copy()
    for k in range(10):
        shaped += betas[k] * model.shapedirs[:, :, k]
    joints = model.joint_regressor @ shaped
    posed = shaped.copy()
    feature = [turns[j, r, c] - (r == c) for j in range(1, 16) for r in range(3) for c in range(3)]
    for k, value in enumerate(feature):
        posed += value * model.posedirs[:, :, k]
    world = []
    for j, parent in enumerate(topology.PARENTS):
        local = np.eye(4)
        local[:3, :3] = turns[j]
        local[:3, 3] = joints[j] - (joints[parent] if parent >= 0 else 0.0)
        world.append(world[parent] @ local if parent >= 0 else local)
    skinned = np.zeros((778, 3))
    for i in range(778):
        for j in range(16):
            if model.weights[i, j] > 0.0:
                at_rest = np.append(posed[i] - joints[j], 1.0)
                skinned[i] += model.weights[i, j] * (world[j] @ at_rest)[:3]
    skeleton = [matrix[:3, 3] for matrix in world]
    tips = [skinned[i] for i in (744, 320, 443, 554, 671)]
    both = np.array(skeleton + tips)
    order = [0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20]
    return skinned, both[order]


@pytest.mark.parametrize("correctives", [False, True])
def test_skinning_equals_the_equations_written_out(model, correctives):
    rng = np.random.default_rng(1)
    tested = with_correctives(model, rng) if correctives else model
    assert tested.has_pose_correctives == correctives
    turns, betas = random_pose(rng)
    hand = forward(tested, turns, betas)
    vertices, joints = naive_skinning(tested, turns, betas)
    np.testing.assert_allclose(hand.vertices, vertices, atol=1e-12)
    np.testing.assert_allclose(hand.joints, joints, atol=1e-12)


def test_skinning_equals_smplx(model, fields, tmp_path):
    smplx = pytest.importorskip("smplx")
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(2)
    tested = with_correctives(model, rng)
    path = tmp_path / "MANO_RIGHT.pkl"
    extra = {
        "hands_components": np.eye(45), "hands_mean": np.zeros(45),
        "bs_type": "lrotmin", "bs_style": "lbs", "posedirs": tested.posedirs,
    }  # fmt: skip
    path.write_bytes(pickle.dumps({**fields, **extra}))
    mano = smplx.MANO(
        str(path), is_rhand=True, use_pca=False, flat_hand_mean=True, dtype=torch.float64
    )
    vectors, betas = rng.normal(scale=0.5, size=(16, 3)), rng.normal(size=10)
    with torch.no_grad():
        out = mano(
            betas=torch.tensor(betas[None]),
            global_orient=torch.tensor(vectors[:1]),
            hand_pose=torch.tensor(vectors[1:].reshape(1, 45)),
        )
    hand = forward(tested, rotations.exp_so3(vectors), betas)
    np.testing.assert_allclose(hand.vertices, out.vertices[0].numpy(), atol=1e-8)
    posed = np.concatenate([out.joints[0].numpy()[:16], hand.vertices[[744, 320, 443, 554, 671]]])
    np.testing.assert_allclose(hand.joints, posed[list(topology.OPENPOSE_FROM_MANO)], atol=1e-8)


def test_smplx_loads_the_packaged_file():
    smplx = pytest.importorskip("smplx")
    mano = smplx.MANO(str(PACKAGED), ext="npz", is_rhand=True, use_pca=False, flat_hand_mean=True)
    vertices = mano().vertices[0].detach().numpy()
    expected = forward(HandModel.default(), IDENTITIES, np.zeros(10)).vertices
    np.testing.assert_allclose(vertices, expected, atol=1e-6)


def test_turning_the_wrist_turns_the_hand_about_it(model):
    turns, betas = random_pose(np.random.default_rng(3))
    flat = turns.copy()
    flat[0] = np.eye(3)
    turned = relative_to_wrist(forward(model, turns, betas))
    still = relative_to_wrist(forward(model, flat, betas))
    np.testing.assert_allclose(turned.vertices, still.vertices @ turns[0].T, atol=1e-12)
    np.testing.assert_allclose(turned.joints, still.joints @ turns[0].T, atol=1e-12)
    np.testing.assert_array_equal(turned.joints[0], 0.0)


def test_a_left_hand_is_the_mirrored_model_with_mirrored_rotations(model):
    """S R S on the mirrored model is the mirror image of R on the right one."""
    S = rotations.MIRROR
    left = HandModel(
        "left", model.v_template @ S, np.einsum("ab,vbk->vak", S, model.shapedirs),
        model.posedirs, model.joint_regressor, model.weights, model.faces, model.parents,
    )  # fmt: skip
    turns, betas = random_pose(np.random.default_rng(4))
    mirrored = forward(left, rotations.mirror_rotation(turns), betas)
    right = forward(model, turns, betas)
    np.testing.assert_allclose(mirrored.vertices, right.vertices @ S, atol=1e-12)
    np.testing.assert_allclose(mirrored.joints, right.joints @ S, atol=1e-12)


def test_wrong_shapes_are_refused(model):
    with pytest.raises(
        ValueError, match=r"rotations has shape \(15, 3, 3\), expected \(16, 3, 3\)"
    ):
        forward(model, IDENTITIES[1:], np.zeros(10))
    with pytest.raises(ValueError, match="betas has shape"):
        forward(model, IDENTITIES, np.zeros(9))


# Sculpting


def test_sculpting_again_gives_the_packaged_hand():
    pytest.importorskip("skimage")
    pytest.importorskip("scipy")
    from tools.hand_model_generation import __main__ as command  # noqa: PLC0415
    from tools.hand_model_generation.build import build  # noqa: PLC0415

    assert command.PACKAGED.samefile(PACKAGED)
    built = build()
    with np.load(PACKAGED) as packaged:
        assert set(built) == set(packaged.files)
        for name, array in built.items():
            if array.dtype.kind == "f":
                np.testing.assert_allclose(array, packaged[name], atol=2e-5, err_msg=name)
            else:
                np.testing.assert_array_equal(array, packaged[name], err_msg=name)


def test_the_packaged_hand_has_hands_of_every_size_among_its_shapes(model):
    rng = np.random.default_rng(8)
    pose = rotations.exp_so3(0.4 * rng.normal(size=(16, 3)))
    betas, factor = rng.normal(size=10), 1.13
    one = relative_to_wrist(forward(model, pose, betas))
    grown = relative_to_wrist(forward(model, pose, factor * betas + (factor - 1) * model.growth))
    np.testing.assert_allclose(grown.vertices, factor * one.vertices, atol=1e-7)
    np.testing.assert_allclose(grown.joints, factor * one.joints, atol=1e-7)


def test_a_hand_whose_shapes_do_not_hold_its_growth_says_so(model):
    rng = np.random.default_rng(9)
    assert with_correctives(model, rng).growth is None
    other = HandModel(
        "test", model.v_template, 1e-3 * rng.normal(size=(778, 3, 10)), model.posedirs,
        model.joint_regressor, model.weights, model.faces, model.parents,
    )  # fmt: skip
    assert other.growth is None
