"""The node's lifecycle: round and round, out of the middle of a frame, and out of every failure."""

from __future__ import annotations

import os
import threading
import time
import zipfile

import numpy as np
import onnxruntime
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("hamer_ros.msg", reason="needs the built messages")

import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import ChangeState
from node_harness import HANDS
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter

from bench.golden import mano_fields
from hamer_ros.demo.processes import free_domain
from hamer_ros.detection.external import ExternalDetector
from hamer_ros.errors import DeviceError, MissingFileError
from hamer_ros.estimation import make_estimator
from hamer_ros.hands import Detection, Frame
from hamer_ros.inference.model_store import models_folder
from hamer_ros.msg import HandBox, HandBoxes
from hamer_ros.ros import reload_backoff
from hamer_ros.ros.models import Models
from hamer_ros.ros.node import HamerNode

pytestmark = pytest.mark.usefixtures("models")


def state(harness) -> int:
    return harness.node._state_machine.current_state[0]


def test_the_lifecycle_goes_round_and_round(harness):
    for _ in range(2):
        assert harness.node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        assert harness.node.trigger_activate() == TransitionCallbackReturn.SUCCESS
        harness.hands().clear()
        assert harness.show(HANDS.rgb, harness.info(), lambda: bool(harness.hands()))
        assert harness.node.trigger_deactivate() == TransitionCallbackReturn.SUCCESS
        harness.hands().clear()
        harness.show_for(0.5)
        assert harness.hands() == []
        assert harness.node.trigger_cleanup() == TransitionCallbackReturn.SUCCESS
    assert harness.node._state_machine.current_state[0] == State.PRIMARY_STATE_UNCONFIGURED


def test_an_inactive_node_publishes_nothing(harness):
    harness.node.trigger_configure()
    harness.show_for(1.0)
    assert harness.hands() == []


def test_a_configure_that_fails_undoes_itself_and_can_be_tried_again(
    harness, monkeypatch, tmp_path
):
    monkeypatch.setenv("HAMER_ROS_CACHE", str(tmp_path))
    assert harness.node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert harness.node._state_machine.current_state[0] == State.PRIMARY_STATE_UNCONFIGURED
    monkeypatch.delenv("HAMER_ROS_CACHE")
    assert harness.node.trigger_configure() == TransitionCallbackReturn.SUCCESS


def test_configuring_again_and_again_leaves_nothing_behind(harness):
    def held() -> tuple[int, int, int]:
        topics = len(harness.node.get_topic_names_and_types())
        return len(os.listdir("/proc/self/fd")), threading.active_count(), topics

    counts = []
    for _ in range(12):
        assert harness.node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        assert harness.node.trigger_activate() == TransitionCallbackReturn.SUCCESS
        assert harness.node.trigger_deactivate() == TransitionCallbackReturn.SUCCESS
        assert harness.node.trigger_cleanup() == TransitionCallbackReturn.SUCCESS
        counts.append(held())
    assert counts[-1] == counts[2]
    assert len(harness.node._managed_entities) == 0


class Slow:
    """A detector that takes its time, and says when it has begun and how it ended."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.outcome = ""

    def detect(self, frame: Frame) -> list[Detection]:
        self.begun.set()
        self.outcome = "under way"
        try:
            for _ in range(2000):
                time.sleep(0.01)
                frame.check_wanted()
        except Exception as error:
            self.outcome = type(error).__name__
            raise
        self.outcome = "ended by itself"
        return []

    def reset(self) -> None:
        pass


def with_detector(harness, monkeypatch, detector) -> None:
    models = Models(detector, make_estimator("landmarks"))
    monkeypatch.setattr(harness.node, "make_models", lambda _: models)


@pytest.mark.parametrize("how", ["trigger_deactivate", "trigger_shutdown", "destroy_node"])
def test_a_frame_under_way_is_given_up(harness, monkeypatch, how):
    slow = Slow()
    with_detector(harness, monkeypatch, slow)
    harness.node.start()
    assert harness.show(HANDS.rgb, harness.info(), slow.begun.is_set)
    getattr(harness.node, how)()
    assert harness.show(None, None, lambda: slow.outcome == "AbandonedError")
    assert harness.hands() == []


def test_a_lifecycle_manager_is_answered_while_a_frame_is_under_way(harness, monkeypatch):
    slow = Slow()
    with_detector(harness, monkeypatch, slow)
    harness.node.start()
    assert harness.show(HANDS.rgb, harness.info(), slow.begun.is_set)
    client = harness.other.create_client(ChangeState, "/hamer/change_state")
    assert client.wait_for_service(timeout_sec=10.0)
    for transition in (4, 2):  # deactivate, cleanup
        request = ChangeState.Request()
        request.transition.id = transition
        future = client.call_async(request)
        assert harness.show(None, None, future.done)
        assert future.result().success
    assert state(harness) == State.PRIMARY_STATE_UNCONFIGURED


def test_a_transition_that_does_not_exist_ends_nothing(harness):
    """rclpy's own callback raises then, and an executor would end with it."""
    harness.node.start()
    client = harness.other.create_client(ChangeState, "/hamer/change_state")
    assert client.wait_for_service(timeout_sec=10.0)
    request = ChangeState.Request()
    request.transition.id = 99
    client.call_async(request)
    assert harness.show(HANDS.rgb, harness.info(), lambda: len(harness.hands()) > 2)


class Failing:
    """A detector on a GPU that has run out of memory."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    def detect(self, frame: Frame) -> list[Detection]:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("CUDA error: out of memory")
        return []

    def reset(self) -> None:
        pass


def test_models_that_fail_are_loaded_again_and_diagnostics_say_so(harness, monkeypatch):
    monkeypatch.setattr(reload_backoff, "FIRST_PAUSE", 1.5)
    with_detector(harness, monkeypatch, Failing(reload_backoff.FAILURES))
    harness.node.start()
    said = harness.diagnosed("CUDA error: out of memory; loading the models again")
    assert harness.show(HANDS.rgb, harness.info(), said)
    assert harness.diagnosis().level == DiagnosticStatus.ERROR
    assert harness.show(HANDS.rgb, harness.info(), lambda: bool(harness.hands()))
    is_well = harness.diagnosed("frames/s")
    assert harness.show(HANDS.rgb, harness.info(), is_well)


def test_models_that_cannot_be_loaded_again_end_the_node_at_last(harness, monkeypatch):
    monkeypatch.setattr(reload_backoff, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(reload_backoff, "LONGEST_PAUSE", 0.01)
    with_detector(harness, monkeypatch, Failing(10**6))
    harness.node.start()

    def gone(_):
        raise DeviceError("CUDA error: device is lost")

    monkeypatch.setattr(harness.node, "make_models", gone)
    ended = []
    monkeypatch.setattr(harness.node.context, "try_shutdown", lambda: ended.append(True))
    assert harness.show(HANDS.rgb, harness.info(), lambda: bool(ended))
    assert harness.node.has_given_up
    assert harness.node.problem.count("device is lost") == 1


def test_a_transition_that_raises_leaves_a_node_that_can_be_configured(harness, monkeypatch):
    assert harness.node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    monkeypatch.setattr(harness.node._configured.publishers, "publish_topology", lambda: 1 / 0)
    assert harness.node.trigger_activate() == TransitionCallbackReturn.ERROR
    assert state(harness) == State.PRIMARY_STATE_UNCONFIGURED
    assert harness.show(None, None, harness.diagnosed("failed"))
    harness.node.start()
    assert harness.show(HANDS.rgb, harness.info(), lambda: bool(harness.hands()))


def test_why_configure_failed_stands_in_the_diagnostics(harness):
    harness.node.set_parameters([Parameter("estimator", value="hamer")])
    assert harness.node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert harness.show(None, None, harness.diagnosed("configure failed"))
    assert harness.diagnosis().level == DiagnosticStatus.ERROR


def test_a_truncated_model_is_named_with_what_to_do(harness, monkeypatch, tmp_path):
    whole = models_folder()
    monkeypatch.setenv("HAMER_ROS_CACHE", str(tmp_path))
    models_folder().mkdir(parents=True)
    for path in whole.iterdir():
        content = path.read_bytes()
        cut = len(content) // 2 if path.name.startswith("hand") else len(content)
        (models_folder() / path.name).write_bytes(content[:cut])
    assert harness.node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert str(models_folder() / "hand_landmark_full.onnx") in harness.node.failure
    assert "fetch-models" in harness.node.failure


def test_an_execution_provider_that_is_missing_is_named_with_what_to_do(harness):
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has it")
    harness.node.set_parameters([Parameter("device", value="cuda")])
    assert harness.node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert "CUDAExecutionProvider" in harness.node.failure
    assert "pip install onnxruntime-gpu" in harness.node.failure
    harness.node.set_parameters([Parameter("device", value="cpu")])
    assert harness.node.trigger_configure() == TransitionCallbackReturn.SUCCESS


def test_a_start_that_fails_is_tried_again(harness, monkeypatch, tmp_path):
    harness.node._retry.timer_period_ns = 10**8
    monkeypatch.setenv("HAMER_ROS_CACHE", str(tmp_path))
    harness.node.start()
    assert harness.show(None, None, harness.diagnosed("trying again in 10 s"))
    assert state(harness) == State.PRIMARY_STATE_UNCONFIGURED
    monkeypatch.delenv("HAMER_ROS_CACHE")
    assert harness.show(HANDS.rgb, harness.info(), lambda: bool(harness.hands()))
    harness.node.trigger_deactivate()
    harness.node.trigger_cleanup()
    harness.show_for(0.5)
    assert state(harness) == State.PRIMARY_STATE_UNCONFIGURED


def test_a_gpu_that_is_not_there_at_the_start_ends_the_node_at_last(harness, monkeypatch):
    def gone(_):
        raise DeviceError("CUDA error: no device")

    ended = []
    harness.node._retry.timer_period_ns = 10**7
    monkeypatch.setattr(harness.node, "make_models", gone)
    monkeypatch.setattr(harness.node.context, "try_shutdown", lambda: ended.append(True))
    harness.node.set_parameters([Parameter("device", value="cuda")])
    harness.node.start()
    assert not harness.node.has_given_up
    assert harness.show(None, None, lambda: bool(ended))
    assert harness.node.has_given_up


def errors(capfd) -> list[str]:
    """What the log says of failed transitions."""
    lines = capfd.readouterr().err.splitlines()
    return [line for line in lines if "[ERROR]" in line and "configure failed" in line]


MISTAKES = {
    "a device that onnxruntime does not have": (
        {"device": "cuda"},
        "onnxruntime cannot run on CUDAExecutionProvider",
    ),
    "no checkpoint": ({"estimator": "hamer"}, "checkpoint:=/path/to/_DATA"),
    "a checkpoint that is not there": (
        {"estimator": "hamer", "checkpoint": "/nowhere/hamer.ckpt", "mano": "{folder}/mano.npz"},
        "/nowhere/hamer.ckpt: no such file",
    ),
    "a checkpoint that was not exported": (
        {
            "estimator": "hamer",
            "backend": "onnxruntime",
            "checkpoint": "{folder}/hamer.ckpt",
            "mano": "{folder}/mano.npz",
        },
        "do so once with: hamer_ros export --checkpoint",
    ),
    "an archive for a checkpoint": (
        {
            "estimator": "hamer",
            "checkpoint": "{folder}/hamer_demo_data.tar.gz",
            "mano": "{folder}/mano.npz",
        },
        "give the folder _DATA that comes out of it",
    ),
    "a web page for MANO": (
        {"estimator": "hamer", "checkpoint": "{folder}/hamer.ckpt", "mano": "{folder}/page.pkl"},
        "page.pkl: is a web page",
    ),
    "a detector that needs a file": (
        {
            "estimator": "ensemble",
            "detector": "onnx",
            "detector_model": "~nobody-of-that-name/hands.onnx",
        },
        "hands.onnx: no such file",
    ),
    "models that do not go together": (
        {"detector": "external", "estimator": "landmarks"},
        "estimator landmarks needs detector landmarks",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_users_mistake_never_ends_the_node_and_is_said_once(harness, tmp_path, capfd, mistake):
    values, said = MISTAKES[mistake]
    if values.get("device") and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has it")
    with zipfile.ZipFile(tmp_path / "hamer.ckpt", "w") as archive:
        archive.writestr("hamer/data.pkl", b"made up")
    np.savez(tmp_path / "mano.npz", **mano_fields())
    (tmp_path / "hamer_demo_data.tar.gz").write_bytes(b"\x1f\x8b")
    (tmp_path / "page.pkl").write_text("<!DOCTYPE html>")
    harness.node.set_parameters(
        [Parameter(name, value=value.format(folder=tmp_path)) for name, value in values.items()]
    )
    for _ in range(2 * reload_backoff.ATTEMPTS):
        harness.node.start()
    assert not harness.node.has_given_up
    assert harness.node.context.ok()
    assert state(harness) == State.PRIMARY_STATE_UNCONFIGURED
    assert said in harness.node.failure
    assert harness.node.failure.endswith("; trying again in 10 s")
    assert len(errors(capfd)) == 1
    harness.node.set_parameters(
        [Parameter("estimator", value="landmarks"), Parameter("detector", value="landmarks"),
         Parameter("device", value="cpu")]
    )  # fmt: skip
    harness.node.start()
    assert harness.show(HANDS.rgb, harness.info(), lambda: bool(harness.hands()))


def test_another_mistake_is_said_as_well(harness, capfd):
    harness.node.set_parameters([Parameter("estimator", value="hamer")])
    harness.node.start()
    harness.node.set_parameters([Parameter("checkpoint", value="/nowhere/hamer.ckpt")])
    harness.node.start()
    harness.node.set_parameters([Parameter("mano", value="/nowhere/MANO_RIGHT.pkl")])
    harness.node.start()
    harness.node.start()
    first, second = errors(capfd)
    assert "checkpoint:=" in first
    assert "/nowhere/hamer.ckpt: no such file" in second


def test_a_file_that_was_removed_while_the_node_runs_is_waited_for(harness, monkeypatch):
    monkeypatch.setattr(reload_backoff, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(reload_backoff, "LONGEST_PAUSE", 0.01)
    with_detector(harness, monkeypatch, Failing(10**6))
    harness.node.start()
    attempts = []

    def missing(_):
        attempts.append(1)
        raise MissingFileError("hamer.ckpt: no such file")

    monkeypatch.setattr(harness.node, "make_models", missing)
    assert harness.show(
        HANDS.rgb, harness.info(), lambda: len(attempts) > 2 * reload_backoff.ATTEMPTS
    )
    assert not harness.node.has_given_up
    assert "hamer.ckpt: no such file" in harness.node.problem
    with_detector(harness, monkeypatch, Failing(0))
    harness.hands().clear()
    assert harness.show(HANDS.rgb, harness.info(), lambda: bool(harness.hands()))


class Unused:
    """A estimator that takes hands and gives none."""

    name, engine, model = "none", "none", make_estimator("landmarks").model

    def __init__(self) -> None:
        self.asked: list[int] = []

    def estimate(self, frame: Frame, detections: list[Detection]) -> list:
        self.asked.append(len(detections))
        return []

    def reset(self) -> None:
        pass


class FailingExternal(ExternalDetector):
    """Boxes from outside, on a GPU that has run out of memory."""

    def detect(self, frame: Frame) -> list[Detection]:
        raise RuntimeError("CUDA error: out of memory")


def test_external_boxes_reach_the_detector_that_was_loaded_again(harness, monkeypatch):
    monkeypatch.setattr(reload_backoff, "FIRST_PAUSE", 0.05)
    estimator, detectors = Unused(), [FailingExternal(), ExternalDetector()]
    monkeypatch.setattr(harness.node, "make_models", lambda _: Models(detectors.pop(0), estimator))
    harness.node.set_parameters([Parameter("detector", value="external")])
    harness.node.start()
    boxes = HandBoxes(hands=[HandBox(handedness=1, detection_score=0.9)])
    boxes.hands[0].bounding_box = np.array([10, 10, 90, 90], np.float32)
    harness.beside.append((harness.other.create_publisher(HandBoxes, "boxes", 10), boxes))
    assert harness.show(HANDS.rgb, harness.info(), lambda: 1 in estimator.asked)
    assert detectors == []


def test_a_wrong_value_at_the_start_leaves_a_node_that_says_so(monkeypatch):
    given = [Parameter("beta", value=30), Parameter("max_hands", value="many")]
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=free_domain("0"))
    node = HamerNode(context=context, parameter_overrides=given)
    assert node.get_parameter("beta").value == 30.0  # a whole number is a number
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert "max_hands" in node.failure
    assert "many" in node.failure
    assert "beta" not in node.failure
    node.set_parameters([Parameter("max_hands", value=3)])
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    node.destroy_node()
    rclpy.try_shutdown(context=context)
