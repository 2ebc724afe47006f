"""ViTPose's network, its weights, and the detector that is made of it."""

from __future__ import annotations

import collections
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import CAMERA

from hamer_ros.detection import DetectorOptions, make_detector
from hamer_ros.detection.box_outputs import ScoredBoxes
from hamer_ros.hands import AbandonedError, Frame, Handedness

torch = pytest.importorskip("torch")
from hamer_ros.detection.vitpose.network import VitPoseConfig, VitPoseNetwork  # noqa: E402
from hamer_ros.detection.vitpose.vitpose_detector import VitPoseDetector  # noqa: E402
from hamer_ros.detection.vitpose.weights import IN_DATA_FOLDER, load_network  # noqa: E402
from hamer_ros.errors import FileFormatError  # noqa: E402
from hamer_ros.networks.vision_transformer import ViTConfig  # noqa: E402

BOX = np.array([100.0, 40, 300, 440])
SMALL = VitPoseConfig(ViTConfig(dim=32, depth=2, heads=4, mlp_dim=64), filters=8)


@pytest.fixture(scope="module")
def weights():
    generator = torch.Generator().manual_seed(0)
    return {
        key: torch.rand(value.shape, generator=generator) * 0.1 + 0.01
        if value.dtype.is_floating_point
        else value
        for key, value in VitPoseNetwork(SMALL).state_dict().items()
    }


def save(path, state):
    """Write what MMCV writes."""
    meta = {"mmpose_version": "0.24.0", "config": "...", "epoch": 210, "CLASSES": ["person"]}
    torch.save({"meta": meta, "state_dict": collections.OrderedDict(state)}, path)
    return path


def test_the_official_network_has_the_official_keys():
    with torch.device("meta"):
        state = VitPoseNetwork(VitPoseConfig()).state_dict()
    shapes = {key: tuple(value.shape) for key, value in state.items()}
    head = {key: shape for key, shape in shapes.items() if not key.startswith("backbone.")}
    # The list in ViTPose's tools/model_split.py, with the shapes of its configuration.
    assert head == {
        "keypoint_head.deconv_layers.0.weight": (1280, 256, 4, 4),
        "keypoint_head.deconv_layers.3.weight": (256, 256, 4, 4),
        **{
            f"keypoint_head.deconv_layers.{i}.{name}": (256,)
            for i in (1, 4)
            for name in ("weight", "bias", "running_mean", "running_var")
        },
        "keypoint_head.deconv_layers.1.num_batches_tracked": (),
        "keypoint_head.deconv_layers.4.num_batches_tracked": (),
        "keypoint_head.final_layer.weight": (133, 256, 1, 1),
        "keypoint_head.final_layer.bias": (133,),
    }
    assert len(shapes) - len(head) == 389
    assert shapes["backbone.blocks.31.mlp.fc2.weight"] == (1280, 5120)


def test_an_image_becomes_heat_maps_of_a_quarter_of_its_size(weights):
    network = VitPoseNetwork(SMALL).eval()
    network.load_state_dict(weights)
    with torch.no_grad():
        image = torch.rand(1, 3, 256, 192)
        assert network(image).shape == (1, 133, 64, 48)
        # The token in row 2 and column 7 of 16 x 12 is the feature at that place of the grid.
        tokens = torch.zeros(1, 192, 32)
        tokens[0, 2 * 12 + 7] = 1
        network.backbone.forward = lambda _: tokens
        other = network(image)
        tokens.zero_()
        moved = (other - network(image)).abs().sum(1)[0].nonzero()
    assert moved.min(0).values.tolist() >= [5, 25]
    assert moved.max(0).values.tolist() <= [14, 34]


def test_weights_arrive(weights, tmp_path):
    expected = VitPoseNetwork(SMALL).eval()
    expected.load_state_dict(weights)
    path = tmp_path / IN_DATA_FOLDER
    path.parent.mkdir(parents=True)
    save(path, weights)
    image = torch.rand(1, 3, 256, 192)
    for user_path in (path, tmp_path):
        network = load_network(user_path, SMALL)
        assert not network.training
        with torch.no_grad():
            torch.testing.assert_close(network(image), expected(image), rtol=0, atol=0)


def uncut(weights):
    """The checkpoint of six data sets of which `weights` are the last, and the layer's experts."""
    state, experts = {}, {}
    for key, value in weights.items():
        if key.startswith("keypoint_head."):
            state[key] = torch.zeros_like(value)
            for i in range(5):
                name = key.replace("keypoint_head", f"associate_keypoint_heads.{i}")
                state[name] = value if i == 4 else torch.zeros_like(value)
        elif ".mlp.fc2." in key:
            state[key] = value[:24]
            for i in range(6):
                part = value[24:] if i == 5 else torch.zeros_like(value[24:])
                experts[key.replace("fc2", f"experts.{i}")] = part
        else:
            state[key] = value
    return {**state, **experts}


def test_the_uncut_checkpoint_is_cut(weights, tmp_path):
    state = uncut(weights)
    assert len(state) == len(weights) + 5 * 14 + 2 * 6 * 2
    network = load_network(save(tmp_path / "vitpose+.pth", state), SMALL)
    for key, value in network.state_dict().items():
        torch.testing.assert_close(value, weights[key], rtol=0, atol=0)


def test_the_cut_layer_does_what_layer_and_expert_did(weights, tmp_path):
    state = uncut(weights)
    network = load_network(save(tmp_path / "vitpose+.pth", state), SMALL)
    tokens = torch.rand(1, 5, 32)
    prefix = "backbone.blocks.1.mlp"
    linear = torch.nn.functional.linear
    with torch.no_grad():
        hidden = linear(tokens, state[f"{prefix}.fc1.weight"], state[f"{prefix}.fc1.bias"])
        hidden = torch.nn.functional.gelu(hidden)
        shared, expert = (
            linear(hidden, state[f"{prefix}.{part}.weight"], state[f"{prefix}.{part}.bias"])
            for part in ("fc2", "experts.5")
        )
        expected = torch.cat([shared, expert], dim=-1)
        torch.testing.assert_close(network.backbone.blocks[1].mlp(tokens), expected)


def test_every_difference_is_listed(weights, tmp_path):
    state = dict(weights)
    del state["keypoint_head.final_layer.bias"]
    state["keypoint_head.final_layer.weight"] = torch.zeros(17, 8, 1, 1)
    state["backbone.extra"] = torch.zeros(2)
    with pytest.raises(FileFormatError) as error:
        load_network(save(tmp_path / "wholebody.pth", state), SMALL)
    text = str(error.value)
    assert "wholebody.pth: 3 of its keys do not fit" in text
    assert "final_layer.bias: found nothing, expected float32 (133,)" in text
    assert (
        "final_layer.weight: found float32 (17, 8, 1, 1), expected float32 (133, 8, 1, 1)" in text
    )
    assert "backbone.extra: found float32 (2,), expected nothing" in text

    state = uncut(weights)
    del state["backbone.blocks.0.mlp.experts.5.bias"]
    with pytest.raises(FileFormatError, match=r"no backbone\.blocks\.0\.mlp\.experts\.5\.bias"):
        load_network(save(tmp_path / "wholebody.pth", state), SMALL)
    with pytest.raises(FileNotFoundError, match=r"vitpose\+_huge.wholebody\.pth: no such file"):
        load_network(tmp_path)


# The detector


class Painted:
    """A network that knows where the hands are: it finds the brightest pixels of the crop."""

    def __init__(self):
        self.weight = torch.zeros(1)
        self.block = torch.nn.Identity()
        self.backbone = SimpleNamespace(blocks=[self.block])

    def eval(self):
        return self

    def parameters(self):
        return iter([self.weight])

    def __call__(self, images):
        """Red is the left hand's, green the right one's: those of a mirrored crop are wrong."""
        red, green = torch.nn.functional.avg_pool2d(self.block(images)[:, :2], 4).unbind(1)
        maps = torch.zeros(len(images), 133, 64, 48)
        for first, colour in ((91, red), (112, green)):
            for k in range(21):
                # Each keypoint looks at its own part of the hand.
                part = np.s_[:, 3 * k : 3 * k + 3, k % 5 :: 5]
                maps[:, first + k][part] = (colour[part] > 1).float()
        return maps


@pytest.fixture
def scene():
    """A person whose left hand is red and whose right hand is green."""
    image = np.zeros((480, 640, 3), np.uint8)
    image[100:180, 120:180, 0] = 255
    image[300:380, 220:280, 1] = 255
    scored = ScoredBoxes(
        np.array([BOX, BOX + 2, [400, 40, 600, 440]]),
        np.array([[0.9, 0.0], [0.6, 0.1], [0.4, 0.0]]),
    )
    detector = VitPoseDetector(lambda rgb: scored, 0, Painted(), DetectorOptions())
    return detector, Frame(image, 0.0, CAMERA)


def test_hands_are_found_by_way_of_the_person(scene, monkeypatch):
    detector, frame = scene
    # What Painted says of the mirrored crop is of no use.
    monkeypatch.setattr(
        "hamer_ros.detection.vitpose.vitpose_detector.merge_mirrored", lambda maps, mirrored: maps
    )
    left, right = detector.detect(frame)
    assert (left.handedness, right.handedness) == (Handedness.LEFT, Handedness.RIGHT)
    # Painted puts a keypoint in every third row of cells, and a cell is 8 pixels high.
    np.testing.assert_allclose(left.bounding_box[1::2], [100, 180], atol=26)
    np.testing.assert_allclose(right.bounding_box[1::2], [300, 380], atol=26)
    assert 112 <= left.bounding_box[0] <= left.bounding_box[2] <= 190
    assert 212 <= right.bounding_box[0] <= right.bounding_box[2] <= 290
    assert [d.detection_id for d in detector.detect(frame)] == [
        left.detection_id,
        right.detection_id,
    ]


def test_a_frame_that_nobody_waits_for_ends_between_two_blocks(scene):
    detector, frame = scene
    asked = []
    detector.detect(replace(frame, abandoned=lambda: asked.append(True)))
    assert asked
    with pytest.raises(AbandonedError):
        detector.detect(replace(frame, abandoned=lambda: True))


def test_no_person_no_hands(scene):
    detector, frame = scene
    for scored in (
        ScoredBoxes(np.empty((0, 4)), np.empty((0, 0))),
        ScoredBoxes(BOX[None], np.array([[0.5, 0.0]])),
        ScoredBoxes(BOX[None], np.array([[0.6, 0.7]])),
    ):
        detector._people = lambda rgb, scored=scored: scored
        assert detector.detect(frame) == []


def test_the_detector_asks_for_its_files(tmp_path):
    with pytest.raises(ValueError, match=r"ONNX model that finds people and .* wholebody\.pth"):
        make_detector("vitpose", DetectorOptions(detector_model=Path("people.onnx")))
    with pytest.raises(FileNotFoundError, match=r"people\.onnx: no such file"):
        make_detector(
            "vitpose", DetectorOptions(detector_model=Path("people.onnx"), vitpose=tmp_path)
        )
