"""The node's services: ~/enable, ~/reset_tracks and ~/calibrate_hand."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("hamer_ros.msg", reason="needs the built messages")

from diagnostic_msgs.msg import DiagnosticStatus
from node_harness import EMPTY, HANDS
from std_srvs.srv import SetBool, Trigger

from hamer_ros.hands import Handedness
from hamer_ros.msg import HandMesh
from hamer_ros.ros import calibration_service
from hamer_ros.srv import CalibrateHand

pytestmark = pytest.mark.usefixtures("models")


def call(harness, kind: type, name: str, **fields):
    client = harness.other.create_client(kind, f"/hamer/{name}")
    assert client.wait_for_service(timeout_sec=10.0)
    future = client.call_async(kind.Request(**fields))
    assert harness.show(None, None, future.done)
    return future.result()


def see_two_hands(harness) -> set[int]:
    harness.hands().clear()
    assert harness.show(
        HANDS.rgb, harness.info(), lambda: any(len(a.hands) == 2 for a in harness.hands())
    )
    array = next(a for a in harness.hands() if len(a.hands) == 2)
    return {mesh.track_id for mesh in array.hands}


def test_a_node_that_is_switched_off_ignores_images_and_says_so(harness):
    harness.node.start()
    see_two_hands(harness)
    assert call(harness, SetBool, "enable", data=False).success
    harness.show_for(0.5)
    harness.hands().clear()
    assert harness.show(HANDS.rgb, harness.info(), harness.diagnosed("switched off"))
    assert harness.hands() == []
    assert harness.diagnosis().level == DiagnosticStatus.WARN
    assert call(harness, SetBool, "enable", data=True).success
    see_two_hands(harness)


def test_hands_get_new_numbers_after_a_reset(harness):
    harness.node.start()
    before = see_two_hands(harness)
    assert see_two_hands(harness) == before
    assert call(harness, Trigger, "reset_tracks").success
    after = see_two_hands(harness)
    assert min(after) > max(before)
    assert {m.track_state for m in harness.hands()[-1].hands} <= {HandMesh.NEW, HandMesh.TRACKED}


def test_numbers_are_not_given_again_after_a_cleanup(harness):
    harness.node.start()
    before = see_two_hands(harness)
    harness.node.trigger_deactivate()
    harness.node.trigger_cleanup()
    harness.node.start()
    assert min(see_two_hands(harness)) > max(before)


def test_services_go_with_cleanup_and_come_back_with_configure(harness):
    client = harness.other.create_client(Trigger, "/hamer/reset_tracks")
    for _ in range(2):
        harness.node.trigger_configure()
        assert client.wait_for_service(timeout_sec=10.0)
        harness.node.trigger_cleanup()
        assert harness.show(None, None, lambda: not client.service_is_ready())


def test_the_answer_of_a_node_that_is_not_active_says_so(harness):
    harness.node.trigger_configure()
    answer = call(harness, SetBool, "enable", data=True)
    assert answer.success
    assert "inactive" in answer.message


LEFT, RIGHT = CalibrateHand.Request.LEFT, CalibrateHand.Request.RIGHT


def calibrate(harness, rgb=HANDS.rgb, **fields) -> CalibrateHand.Response:
    """The answer, while an image is shown."""
    client = harness.other.create_client(CalibrateHand, "/hamer/calibrate_hand")
    assert client.wait_for_service(timeout_sec=10.0)
    future = client.call_async(CalibrateHand.Request(**fields))
    assert harness.show(rgb, harness.info(), future.done)
    return future.result()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"hand_length": math.nan}, "hand_length is nan; it is metres, or 0 to measure it"),
        ({"hand_length": -0.2}, "hand_length is -0.2; it is metres"),
        ({"hand_length": 19.0}, "hands are 0.10 to 0.30 m long"),
        ({"distance": math.nan}, "distance is nan; it is 0.1 to 3 metres, or 0 to use the depth"),
        ({"distance": -0.5}, "distance is -0.5; it is 0.1 to 3 metres"),
        ({"distance": 50.0}, "distance is 50; it is 0.1 to 3 metres"),
        (
            {"handedness": 3, "distance": 0.5},
            "handedness is 3; it is 0 (both), 1 (left) or 2 (right)",
        ),
        ({}, "use_depth is false; give the distance, or launch with use_depth:=true"),
    ],
)
def test_a_calibration_that_cannot_be_is_refused_at_once(harness, fields, words):
    harness.node.start()
    answer = calibrate(harness, **fields)
    assert not answer.success
    assert words in answer.message


@pytest.fixture
def soon(monkeypatch, tmp_path) -> None:
    """Measurements are given up soon, and nothing is kept in the user's home."""
    monkeypatch.setattr(calibration_service, "TIMEOUT", 2.0)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.mark.usefixtures("soon")
def test_a_calibration_in_vain_says_what_was_seen_instead(harness):
    harness.node.start()
    see_two_hands(harness)
    assert "2 hands were in view: show exactly one" in calibrate(harness, distance=0.5).message
    calibrate(harness, EMPTY, distance=0.5)
    assert "no hand was seen" in calibrate(harness, EMPTY, distance=0.5).message
    right_half = HANDS.rgb.copy()
    seen = {hand.handedness: hand.joints[:, 0].mean() for hand in HANDS.hands}
    middle = HANDS.rgb.shape[1] // 2
    half = (
        slice(0, middle) if seen[Handedness.RIGHT] > seen[Handedness.LEFT] else slice(middle, None)
    )
    right_half[:, half] = EMPTY[:, half]
    message = calibrate(harness, right_half, handedness=LEFT, distance=0.5).message
    assert "handedness is LEFT, but only a right hand was seen" in message
    message = calibrate(harness, None, handedness=RIGHT, distance=0.5).message
    assert "no image was processed" in message


@pytest.mark.usefixtures("soon")
def test_a_second_calibration_is_told_of_the_first(harness):
    harness.node.start()
    client = harness.other.create_client(CalibrateHand, "/hamer/calibrate_hand")
    assert client.wait_for_service(timeout_sec=10.0)
    first = client.call_async(CalibrateHand.Request(distance=0.5))
    answer = calibrate(harness, None, distance=0.5)
    assert "another measurement is under way" in answer.message
    assert harness.show(None, None, first.done)
    assert "no image was processed" in first.result().message


@pytest.mark.usefixtures("soon")
def test_a_node_that_is_switched_off_while_it_measures_says_so(harness):
    harness.node.start()
    client = harness.other.create_client(CalibrateHand, "/hamer/calibrate_hand")
    assert client.wait_for_service(timeout_sec=10.0)
    future = client.call_async(CalibrateHand.Request(distance=0.5))
    harness.show_for(0.3)
    assert call(harness, SetBool, "enable", data=False).success
    assert harness.show(None, None, future.done)
    assert "switched off meanwhile" in future.result().message


@pytest.mark.usefixtures("soon")
def test_a_distance_that_makes_a_giant_of_the_hand_is_doubted(harness, monkeypatch):
    monkeypatch.setattr(calibration_service, "TIMEOUT", 14.0)
    harness.node.start()
    answer = calibrate(harness, handedness=LEFT, distance=3.0)
    assert not answer.success
    assert "is the wrist 3 m from the camera?" in answer.message


def test_a_broken_file_of_lengths_stops_nobody_and_is_told(harness, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "hamer_ros").mkdir()
    (tmp_path / "hamer_ros" / "hands.yaml").write_text("default:\n  left: {length: 19}")
    harness.node.start()
    see_two_hands(harness)

    def told() -> list[str]:
        return [o.text for o in harness.node._observations.present() if o.subject == "hands.yaml"]

    assert harness.show(None, None, lambda: bool(told()))
    assert "hands.yaml, line 2: a hand of 19.000 m" in told()[0]
    assert "people's average holds for 'default'" in told()[0]
