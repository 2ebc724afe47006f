"""Node, camera and client are killed one after the other: the others go on, and it comes back."""

from __future__ import annotations

import time

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("hamer_ros.msg", reason="needs the built messages")

import numpy as np

from hamer_ros.bench.soak.logs import ERROR, OK
from hamer_ros.bench.soak.measure import await_hands
from hamer_ros.bench.soak.robot import Robot
from hamer_ros.bench.soak.samples import take_sample
from hamer_ros.demo.processes import Children, DemoError
from hamer_ros.demo.run import installed_node
from hamer_ros.hand_model.model import HandModel
from hamer_ros.rendering.clip import FRAME_RATE, clip_frame

SEED = 3
N_FRAMES = 10


@pytest.fixture(scope="module")
def stack(nets, tmp_path_factory):
    """A few frames with two hands, there and back."""
    try:
        installed_node()
    except DemoError as reason:
        pytest.skip(str(reason))
    model = HandModel.default()
    frames = [clip_frame(model, index).rgb for index in range(N_FRAMES)]
    path = tmp_path_factory.mktemp("clip") / "clip.npy"
    np.save(path, np.stack(frames + frames[::-1]))
    return path


@pytest.fixture
def children():
    with Children() as children:
        yield children


@pytest.fixture
def robot(children, stack, tmp_path):
    robot = Robot(children, stack, tmp_path / "work", tmp_path)
    robot.play()
    return robot


def told_since(client, moment: int, level: int, words: str = "") -> bool:
    """Whether the node has told something like this since a time in nanoseconds."""
    return any(
        told.time > moment and told.level == level and words in told.text for told in client.told()
    )


def test_a_killed_client_disturbs_nobody(robot, children):
    node, camera, client = robot.start_node(), robot.start_camera(), robot.start_client()
    await_hands(robot, client, time.time_ns())
    witness = robot.start_client()
    await_hands(robot, witness, time.time_ns())
    before = take_sample(node)

    children.kill(client.child)
    killed = time.time_ns()
    n_sent = len(camera.sent())
    await_hands(robot, witness, killed)
    robot.wait_until(lambda: told_since(witness, killed, OK), "a node in good health")
    robot.wait_until(lambda: len(camera.sent()) > n_sent + FRAME_RATE, "images")
    after = take_sample(node)
    assert after.files <= before.files
    assert after.threads <= before.threads

    newcomer = robot.start_client()
    await_hands(robot, newcomer, time.time_ns())


def test_a_killed_camera_is_told_of_and_a_new_one_is_served(robot, children):
    robot.start_node()
    camera, client = robot.start_camera(), robot.start_client()
    await_hands(robot, client, time.time_ns())

    children.kill(camera.child)
    killed = time.time_ns()
    silence = "no images on '/camera/image_raw'"
    robot.wait_until(lambda: told_since(client, killed, ERROR, silence), "an error")

    robot.start_camera()
    served = await_hands(robot, client, time.time_ns())
    robot.wait_until(lambda: told_since(client, served, OK), "a node in good health")


def test_a_killed_node_comes_back(robot, children):
    node, camera, client = robot.start_node(), robot.start_camera(), robot.start_client()
    await_hands(robot, client, time.time_ns())

    children.kill(node)
    n_sent = len(camera.sent())
    robot.wait_until(lambda: len(camera.sent()) > n_sent + FRAME_RATE, "images")
    began = time.time_ns()
    robot.start_node()
    served = await_hands(robot, client, began)
    robot.wait_until(lambda: told_since(client, served, OK), "a node in good health")


def test_whoever_is_killed_whenever_hands_come_again(robot, children):
    """At random times: while it starts, configures, receives, computes or sends."""
    rng = np.random.default_rng(SEED)
    node, camera, client = robot.start_node(), robot.start_camera(), robot.start_client()
    for victim in rng.permutation(["node", "node", "node", "camera", "client"]):
        time.sleep(rng.uniform(0.0, 2.5))
        if victim == "node":
            children.kill(node)
            node = robot.start_node()
        elif victim == "camera":
            children.kill(camera.child)
            camera = robot.start_camera()
        else:
            children.kill(client.child)
            client = robot.start_client()
    await_hands(robot, client, time.time_ns())
