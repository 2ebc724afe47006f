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
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from robot import HANDS

from hamer_ros.bench.golden import mano_fields
from hamer_ros.demo.processes import free_domain
from hamer_ros.detection.given import GivenDetector
from hamer_ros.errors import DeviceError, MissingFileError
from hamer_ros.hands import Detection, Frame
from hamer_ros.msg import HandBox, HandBoxes
from hamer_ros.nets.store import nets_folder
from hamer_ros.recovery import make_recoverer
from hamer_ros.ros import repair
from hamer_ros.ros.node import HamerNode

pytestmark = pytest.mark.usefixtures("nets")


def state(robot) -> int:
    return robot.node._state_machine.current_state[0]


def test_the_lifecycle_goes_round_and_round(robot):
    for _ in range(2):
        assert robot.node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        assert robot.node.trigger_activate() == TransitionCallbackReturn.SUCCESS
        robot.hands().clear()
        assert robot.show(HANDS.rgb, robot.info(), lambda: bool(robot.hands()))
        assert robot.node.trigger_deactivate() == TransitionCallbackReturn.SUCCESS
        robot.hands().clear()
        robot.show_for(0.5)
        assert robot.hands() == []
        assert robot.node.trigger_cleanup() == TransitionCallbackReturn.SUCCESS
    assert robot.node._state_machine.current_state[0] == State.PRIMARY_STATE_UNCONFIGURED


def test_an_inactive_node_publishes_nothing(robot):
    robot.node.trigger_configure()
    robot.show_for(1.0)
    assert robot.hands() == []


def test_a_configure_that_fails_undoes_itself_and_can_be_tried_again(robot, monkeypatch, tmp_path):
    monkeypatch.setenv("HAMER_ROS_CACHE", str(tmp_path))
    assert robot.node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert robot.node._state_machine.current_state[0] == State.PRIMARY_STATE_UNCONFIGURED
    monkeypatch.delenv("HAMER_ROS_CACHE")
    assert robot.node.trigger_configure() == TransitionCallbackReturn.SUCCESS


def test_configuring_again_and_again_leaves_nothing_behind(robot):
    def held() -> tuple[int, int, int]:
        topics = len(robot.node.get_topic_names_and_types())
        return len(os.listdir("/proc/self/fd")), threading.active_count(), topics

    counts = []
    for _ in range(12):
        assert robot.node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        assert robot.node.trigger_activate() == TransitionCallbackReturn.SUCCESS
        assert robot.node.trigger_deactivate() == TransitionCallbackReturn.SUCCESS
        assert robot.node.trigger_cleanup() == TransitionCallbackReturn.SUCCESS
        counts.append(held())
    assert counts[-1] == counts[2]
    assert len(robot.node._managed_entities) == 0


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


def with_detector(robot, monkeypatch, detector) -> None:
    stages = detector, make_recoverer("landmarks")
    monkeypatch.setattr(robot.node, "_make_stages", lambda _: stages)


@pytest.mark.parametrize("how", ["trigger_deactivate", "trigger_shutdown", "destroy_node"])
def test_a_frame_under_way_is_given_up(robot, monkeypatch, how):
    slow = Slow()
    with_detector(robot, monkeypatch, slow)
    robot.node.start()
    assert robot.show(HANDS.rgb, robot.info(), slow.begun.is_set)
    getattr(robot.node, how)()
    assert robot.show(None, None, lambda: slow.outcome == "AbandonedError")
    assert robot.hands() == []


def test_a_lifecycle_manager_is_answered_while_a_frame_is_under_way(robot, monkeypatch):
    slow = Slow()
    with_detector(robot, monkeypatch, slow)
    robot.node.start()
    assert robot.show(HANDS.rgb, robot.info(), slow.begun.is_set)
    client = robot.other.create_client(ChangeState, "/hamer/change_state")
    assert client.wait_for_service(timeout_sec=10.0)
    for transition in (4, 2):  # deactivate, cleanup
        request = ChangeState.Request()
        request.transition.id = transition
        future = client.call_async(request)
        assert robot.show(None, None, future.done)
        assert future.result().success
    assert state(robot) == State.PRIMARY_STATE_UNCONFIGURED


def test_a_transition_that_does_not_exist_ends_nothing(robot):
    """rclpy's own callback raises then, and an executor would end with it."""
    robot.node.start()
    client = robot.other.create_client(ChangeState, "/hamer/change_state")
    assert client.wait_for_service(timeout_sec=10.0)
    request = ChangeState.Request()
    request.transition.id = 99
    client.call_async(request)
    assert robot.show(HANDS.rgb, robot.info(), lambda: len(robot.hands()) > 2)


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


def test_models_that_fail_are_loaded_again_and_diagnostics_say_so(robot, monkeypatch):
    monkeypatch.setattr(repair, "FIRST_PAUSE", 1.5)
    with_detector(robot, monkeypatch, Failing(repair.FAILURES))
    robot.node.start()
    said = robot.diagnosed("CUDA error: out of memory; loading the models again")
    assert robot.show(HANDS.rgb, robot.info(), said)
    assert robot.diagnosis().level == DiagnosticStatus.ERROR
    assert robot.show(HANDS.rgb, robot.info(), lambda: bool(robot.hands()))
    is_well = robot.diagnosed("frames/s")
    assert robot.show(HANDS.rgb, robot.info(), is_well)


def test_models_that_cannot_be_loaded_again_end_the_node_at_last(robot, monkeypatch):
    monkeypatch.setattr(repair, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(repair, "LONGEST_PAUSE", 0.01)
    with_detector(robot, monkeypatch, Failing(10**6))
    robot.node.start()

    def gone(_):
        raise DeviceError("CUDA error: device is lost")

    monkeypatch.setattr(robot.node, "_make_stages", gone)
    ended = []
    monkeypatch.setattr(robot.node.context, "try_shutdown", lambda: ended.append(True))
    assert robot.show(HANDS.rgb, robot.info(), lambda: bool(ended))
    assert robot.node.has_given_up
    assert robot.node._configured.worker.trouble.count("device is lost") == 1


def test_a_transition_that_raises_leaves_a_node_that_can_be_configured(robot, monkeypatch):
    assert robot.node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    monkeypatch.setattr(robot.node._configured.outputs, "publish_topology", lambda: 1 / 0)
    assert robot.node.trigger_activate() == TransitionCallbackReturn.ERROR
    assert state(robot) == State.PRIMARY_STATE_UNCONFIGURED
    assert robot.show(None, None, robot.diagnosed("failed"))
    robot.node.start()
    assert robot.show(HANDS.rgb, robot.info(), lambda: bool(robot.hands()))


def test_why_configure_failed_stands_in_the_diagnostics(robot):
    robot.node.set_parameters([Parameter("estimator", value="hamer")])
    assert robot.node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert robot.show(None, None, robot.diagnosed("configure failed"))
    assert robot.diagnosis().level == DiagnosticStatus.ERROR


def test_a_truncated_net_is_named_with_what_to_do(robot, monkeypatch, tmp_path):
    whole = nets_folder()
    monkeypatch.setenv("HAMER_ROS_CACHE", str(tmp_path))
    nets_folder().mkdir(parents=True)
    for path in whole.iterdir():
        content = path.read_bytes()
        cut = len(content) // 2 if path.name.startswith("hand") else len(content)
        (nets_folder() / path.name).write_bytes(content[:cut])
    assert robot.node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert str(nets_folder() / "hand_landmark_full.onnx") in robot.node._failure
    assert "fetch-models" in robot.node._failure


def test_an_execution_provider_that_is_missing_is_named_with_what_to_do(robot):
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has it")
    robot.node.set_parameters([Parameter("device", value="cuda")])
    assert robot.node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert "CUDAExecutionProvider" in robot.node._failure
    assert "pip install onnxruntime-gpu" in robot.node._failure
    robot.node.set_parameters([Parameter("device", value="cpu")])
    assert robot.node.trigger_configure() == TransitionCallbackReturn.SUCCESS


def test_a_start_that_fails_is_tried_again(robot, monkeypatch, tmp_path):
    robot.node._retry.timer_period_ns = 10**8
    monkeypatch.setenv("HAMER_ROS_CACHE", str(tmp_path))
    robot.node.start()
    assert robot.show(None, None, robot.diagnosed("trying again in 10 s"))
    assert state(robot) == State.PRIMARY_STATE_UNCONFIGURED
    monkeypatch.delenv("HAMER_ROS_CACHE")
    assert robot.show(HANDS.rgb, robot.info(), lambda: bool(robot.hands()))
    robot.node.trigger_deactivate()
    robot.node.trigger_cleanup()
    robot.show_for(0.5)
    assert state(robot) == State.PRIMARY_STATE_UNCONFIGURED


def test_a_gpu_that_is_not_there_at_the_start_ends_the_node_at_last(robot, monkeypatch):
    def gone(_):
        raise DeviceError("CUDA error: no device")

    ended = []
    robot.node._retry.timer_period_ns = 10**7
    monkeypatch.setattr(robot.node, "_make_stages", gone)
    monkeypatch.setattr(robot.node.context, "try_shutdown", lambda: ended.append(True))
    robot.node.set_parameters([Parameter("device", value="cuda")])
    robot.node.start()
    assert not robot.node.has_given_up
    assert robot.show(None, None, lambda: bool(ended))
    assert robot.node.has_given_up


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
        {"detector": "given", "estimator": "landmarks"},
        "estimator landmarks needs detector landmarks",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_users_mistake_never_ends_the_node_and_is_said_once(robot, tmp_path, capfd, mistake):
    values, said = MISTAKES[mistake]
    if values.get("device") and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has it")
    with zipfile.ZipFile(tmp_path / "hamer.ckpt", "w") as archive:
        archive.writestr("hamer/data.pkl", b"made up")
    np.savez(tmp_path / "mano.npz", **mano_fields())
    (tmp_path / "hamer_demo_data.tar.gz").write_bytes(b"\x1f\x8b")
    (tmp_path / "page.pkl").write_text("<!DOCTYPE html>")
    robot.node.set_parameters(
        [Parameter(name, value=value.format(folder=tmp_path)) for name, value in values.items()]
    )
    for _ in range(2 * repair.ATTEMPTS):
        robot.node.start()
    assert not robot.node.has_given_up
    assert robot.node.context.ok()
    assert state(robot) == State.PRIMARY_STATE_UNCONFIGURED
    assert said in robot.node._failure
    assert robot.node._failure.endswith("; trying again in 10 s")
    assert len(errors(capfd)) == 1
    robot.node.set_parameters(
        [Parameter("estimator", value="landmarks"), Parameter("detector", value="landmarks"),
         Parameter("device", value="cpu")]
    )  # fmt: skip
    robot.node.start()
    assert robot.show(HANDS.rgb, robot.info(), lambda: bool(robot.hands()))


def test_another_mistake_is_said_as_well(robot, capfd):
    robot.node.set_parameters([Parameter("estimator", value="hamer")])
    robot.node.start()
    robot.node.set_parameters([Parameter("checkpoint", value="/nowhere/hamer.ckpt")])
    robot.node.start()
    robot.node.set_parameters([Parameter("mano", value="/nowhere/MANO_RIGHT.pkl")])
    robot.node.start()
    robot.node.start()
    first, second = errors(capfd)
    assert "checkpoint:=" in first
    assert "/nowhere/hamer.ckpt: no such file" in second


def test_a_file_that_was_removed_while_the_node_runs_is_waited_for(robot, monkeypatch):
    monkeypatch.setattr(repair, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(repair, "LONGEST_PAUSE", 0.01)
    with_detector(robot, monkeypatch, Failing(10**6))
    robot.node.start()
    attempts = []

    def missing(_):
        attempts.append(1)
        raise MissingFileError("hamer.ckpt: no such file")

    monkeypatch.setattr(robot.node, "_make_stages", missing)
    assert robot.show(HANDS.rgb, robot.info(), lambda: len(attempts) > 2 * repair.ATTEMPTS)
    assert not robot.node.has_given_up
    assert "hamer.ckpt: no such file" in robot.node._configured.worker.trouble
    with_detector(robot, monkeypatch, Failing(0))
    robot.hands().clear()
    assert robot.show(HANDS.rgb, robot.info(), lambda: bool(robot.hands()))


class Unused:
    """A recoverer that takes hands and gives none."""

    name, engine, model = "none", "none", make_recoverer("landmarks").model

    def __init__(self) -> None:
        self.asked: list[int] = []

    def recover(self, frame: Frame, detections: list[Detection]) -> list:
        self.asked.append(len(detections))
        return []

    def reset(self) -> None:
        pass


class FailingGiven(GivenDetector):
    """Boxes from outside, on a GPU that has run out of memory."""

    def detect(self, frame: Frame) -> list[Detection]:
        raise RuntimeError("CUDA error: out of memory")


def test_given_boxes_reach_the_detector_that_was_loaded_again(robot, monkeypatch):
    monkeypatch.setattr(repair, "FIRST_PAUSE", 0.05)
    recoverer, detectors = Unused(), [FailingGiven(), GivenDetector()]
    monkeypatch.setattr(robot.node, "_make_stages", lambda _: (detectors.pop(0), recoverer))
    robot.node.set_parameters([Parameter("detector", value="given")])
    robot.node.start()
    boxes = HandBoxes(hands=[HandBox(handedness=1, detection_score=0.9)])
    boxes.hands[0].bounding_box = np.array([10, 10, 90, 90], np.float32)
    robot.beside.append((robot.other.create_publisher(HandBoxes, "boxes", 10), boxes))
    assert robot.show(HANDS.rgb, robot.info(), lambda: 1 in recoverer.asked)
    assert detectors == []


def test_a_wrong_value_at_the_start_leaves_a_node_that_says_so(monkeypatch):
    given = [Parameter("beta", value=30), Parameter("max_hands", value="many")]
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=free_domain("0"))
    node = HamerNode(context=context, parameter_overrides=given)
    assert node.get_parameter("beta").value == 30.0  # a whole number is a number
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert "max_hands" in node._failure
    assert "many" in node._failure
    assert "beta" not in node._failure
    node.set_parameters([Parameter("max_hands", value=3)])
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    node.destroy_node()
    rclpy.try_shutdown(context=context)
