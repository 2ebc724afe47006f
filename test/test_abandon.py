"""A frame that nobody waits for is given up: between the stages, and within a long one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import numpy as np
import pytest
from helpers import CAMERA, detection

from hamer_ros.detection import DetectorOptions
from hamer_ros.detection.landmark_detector import LandmarkDetector
from hamer_ros.estimation import make_estimator
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hands import AbandonedError, Detection, Frame, Hand
from hamer_ros.inference.onnx_session import OnnxModel
from hamer_ros.pipeline import HandPipeline
from hamer_ros.rendering.clip import clip_frame

RGB = np.zeros((480, 640, 3), np.uint8)


class Seeing:
    """A detector after which somebody loses interest."""

    def __init__(self) -> None:
        self.is_over = False

    def detect(self, frame: Frame) -> list[Detection]:
        self.is_over = True
        return [detection()]

    def reset(self) -> None:
        pass


class Estimating:
    """A estimator that must not be asked."""

    name, engine, model = "none", "none", make_estimator("landmarks").model

    def estimate(self, frame: Frame, detections: Sequence[Detection]) -> list[Hand]:
        raise AssertionError("recovered a hand that nobody waits for")

    def reset(self) -> None:
        pass


def test_no_step_begins_once_the_frame_is_abandoned():
    detector = Seeing()
    pipeline = HandPipeline(detector, Estimating())
    with pytest.raises(AbandonedError):
        pipeline.process(Frame(RGB, 0.0, CAMERA, abandoned=lambda: detector.is_over))


def test_a_frame_that_is_wanted_goes_through():
    Frame(RGB, 0.0, CAMERA).check_wanted()


@pytest.mark.parametrize("photograph", [True, False])
def test_the_embedded_detector_asks_before_each_run_of_a_model(models, photograph):
    runs, asked = [], []
    detector = LandmarkDetector.load(DetectorOptions(photographs=photograph))

    def counted(model):
        return lambda value: runs.append(True) or model(value)

    detector._landmark_model = counted(detector._landmark_model)
    detector._palm_models = {kind: counted(model) for kind, model in detector._palm_models.items()}
    image = clip_frame(HandModel.default(), 0).rgb
    for k in range(3):
        detector.detect(Frame(image, k / 30, CAMERA, abandoned=lambda: bool(asked.append(True))))
        assert len(asked) == len(runs) > 0
    with pytest.raises(AbandonedError):
        detector.detect(Frame(image, 1.0, CAMERA, abandoned=lambda: True))
    assert len(asked) == len(runs)


def test_the_network_on_a_cpu_stops_between_two_blocks():
    pytest.importorskip("torch", reason="the network needs torch")
    from hamer_small import SMALL, crops, small_network  # noqa: PLC0415

    from hamer_ros.hamer.torch_backend import TorchBackend  # noqa: PLC0415

    backend = TorchBackend(small_network())
    asked: list[bool] = []
    whole = backend(crops(1), lambda: asked.append(True))
    assert len(asked) == SMALL.backbone.depth

    def lose_interest() -> None:
        asked.append(True)
        raise AbandonedError

    asked.clear()
    with pytest.raises(AbandonedError):
        backend(crops(1), lose_interest)
    assert len(asked) == 1
    again = backend(crops(1))
    assert len(asked) == 1
    np.testing.assert_array_equal(again.hand_pose, whole.hand_pose)


def test_a_long_run_of_onnxruntime_ends_between_two_layers(tmp_path):
    onnx = pytest.importorskip("onnx", reason="builds the model")
    layers = 2000
    nodes = [onnx.helper.make_node("MatMul", [f"x{k}", "w"], [f"x{k + 1}"]) for k in range(layers)]
    info = partial(
        onnx.helper.make_tensor_value_info, elem_type=onnx.TensorProto.FLOAT, shape=[300, 300]
    )
    weights = onnx.numpy_helper.from_array(np.eye(300, dtype=np.float32), "w")
    graph = onnx.helper.make_graph(nodes, "g", [info("x0")], [info(f"x{layers}")], [weights])
    opset = onnx.helper.make_opsetid("", 17)
    path = tmp_path / "long.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    model, value = OnnxModel(path), np.ones((300, 300), np.float32)
    begin = time.process_time()
    np.testing.assert_array_equal(model.run_while_wanted(value, lambda: None)[0], value)
    whole = time.process_time() - begin
    asked = []

    def lose_interest() -> None:
        asked.append(True)
        if len(asked) > 1:
            raise AbandonedError

    begin = time.process_time()
    with pytest.raises(AbandonedError):
        model.run_while_wanted(value, lose_interest)
    assert time.process_time() - begin < whole / 2
    np.testing.assert_array_equal(model(value)[0], value)
