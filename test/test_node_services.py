"""The node's switches: ~/enable and ~/reset_tracks."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("hamer_ros.msg", reason="needs the built messages")

from diagnostic_msgs.msg import DiagnosticStatus
from robot import HANDS
from std_srvs.srv import SetBool, Trigger

from hamer_ros.msg import HandMesh

pytestmark = pytest.mark.usefixtures("nets")


def call(robot, kind: type, name: str, **fields):
    client = robot.other.create_client(kind, f"/hamer/{name}")
    assert client.wait_for_service(timeout_sec=10.0)
    future = client.call_async(kind.Request(**fields))
    assert robot.show(None, None, future.done)
    return future.result()


def see_two_hands(robot) -> set[int]:
    robot.hands().clear()
    assert robot.show(
        HANDS.rgb, robot.info(), lambda: any(len(a.hands) == 2 for a in robot.hands())
    )
    array = next(a for a in robot.hands() if len(a.hands) == 2)
    return {mesh.track_id for mesh in array.hands}


def test_a_node_that_is_switched_off_ignores_images_and_says_so(robot):
    robot.node.start()
    see_two_hands(robot)
    assert call(robot, SetBool, "enable", data=False).success
    robot.show_for(0.5)
    robot.hands().clear()
    assert robot.show(HANDS.rgb, robot.info(), robot.diagnosed("switched off"))
    assert robot.hands() == []
    assert robot.diagnosis().level == DiagnosticStatus.WARN
    assert call(robot, SetBool, "enable", data=True).success
    see_two_hands(robot)


def test_hands_get_new_numbers_after_a_reset(robot):
    robot.node.start()
    before = see_two_hands(robot)
    assert see_two_hands(robot) == before
    assert call(robot, Trigger, "reset_tracks").success
    after = see_two_hands(robot)
    assert min(after) > max(before)
    assert {m.track_state for m in robot.hands()[-1].hands} <= {HandMesh.NEW, HandMesh.TRACKED}


def test_numbers_are_not_given_again_after_a_cleanup(robot):
    robot.node.start()
    before = see_two_hands(robot)
    robot.node.trigger_deactivate()
    robot.node.trigger_cleanup()
    robot.node.start()
    assert min(see_two_hands(robot)) > max(before)


def test_services_go_with_cleanup_and_come_back_with_configure(robot):
    client = robot.other.create_client(Trigger, "/hamer/reset_tracks")
    for _ in range(2):
        robot.node.trigger_configure()
        assert client.wait_for_service(timeout_sec=10.0)
        robot.node.trigger_cleanup()
        assert robot.show(None, None, lambda: not client.service_is_ready())


def test_the_answer_of_a_node_that_is_not_active_says_so(robot):
    robot.node.trigger_configure()
    answer = call(robot, SetBool, "enable", data=True)
    assert answer.success
    assert "inactive" in answer.message
