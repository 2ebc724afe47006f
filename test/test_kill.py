"""Node, camera and client are killed one after the other: the others go on, and it comes back."""

from __future__ import annotations

import time

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("hamer_ros.msg", reason="needs the built messages")

import numpy as np

from bench.soak.logs import ERROR, OK
from bench.soak.measure import await_hands
from bench.soak.processes import Processes
from bench.soak.samples import take_sample
from hamer_ros.demo.processes import DemoError, ProcessGroup
from hamer_ros.demo.run import installed_node
from hamer_ros.hand_model.model import HandModel
from hamer_ros.rendering.clip import FRAME_RATE, clip_frame

SEED = 3
N_FRAMES = 10


@pytest.fixture(scope="module")
def stack(models, tmp_path_factory):
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
def group():
    with ProcessGroup() as group:
        yield group


@pytest.fixture
def processes(group, stack, tmp_path):
    processes = Processes(group, stack, tmp_path / "work", tmp_path)
    processes.play()
    return processes


def has_reported(client, moment: int, level: int, words: str = "") -> bool:
    """Whether the node has told something like this since a time in nanoseconds."""
    return any(
        status.time > moment and status.level == level and words in status.text
        for status in client.statuses()
    )


def test_a_killed_client_disturbs_nobody(processes, group):
    node, camera, client = (
        processes.start_node(),
        processes.start_camera(),
        processes.start_client(),
    )
    await_hands(processes, client, time.time_ns())
    witness = processes.start_client()
    await_hands(processes, witness, time.time_ns())
    before = take_sample(node)

    group.kill(client.process)
    killed = time.time_ns()
    n_sent = len(camera.sent())
    await_hands(processes, witness, killed)
    processes.wait_until(lambda: has_reported(witness, killed, OK), "a node in good health")
    processes.wait_until(lambda: len(camera.sent()) > n_sent + FRAME_RATE, "images")
    after = take_sample(node)
    assert after.files <= before.files
    assert after.threads <= before.threads

    newcomer = processes.start_client()
    await_hands(processes, newcomer, time.time_ns())


def test_a_killed_camera_is_told_of_and_a_new_one_is_served(processes, group):
    processes.start_node()
    camera, client = processes.start_camera(), processes.start_client()
    await_hands(processes, client, time.time_ns())

    group.kill(camera.process)
    killed = time.time_ns()
    silence = "no images on '/camera/image_raw'"
    processes.wait_until(lambda: has_reported(client, killed, ERROR, silence), "an error")

    processes.start_camera()
    served = await_hands(processes, client, time.time_ns())
    processes.wait_until(lambda: has_reported(client, served, OK), "a node in good health")


def test_a_killed_node_comes_back(processes, group):
    node, camera, client = (
        processes.start_node(),
        processes.start_camera(),
        processes.start_client(),
    )
    await_hands(processes, client, time.time_ns())

    group.kill(node)
    n_sent = len(camera.sent())
    processes.wait_until(lambda: len(camera.sent()) > n_sent + FRAME_RATE, "images")
    began = time.time_ns()
    processes.start_node()
    served = await_hands(processes, client, began)
    processes.wait_until(lambda: has_reported(client, served, OK), "a node in good health")


def test_whoever_is_killed_whenever_hands_come_again(processes, group):
    """At random times: while it starts, configures, receives, computes or sends."""
    rng = np.random.default_rng(SEED)
    node, camera, client = (
        processes.start_node(),
        processes.start_camera(),
        processes.start_client(),
    )
    for victim in rng.permutation(["node", "node", "node", "camera", "client"]):
        time.sleep(rng.uniform(0.0, 2.5))
        if victim == "node":
            group.kill(node)
            node = processes.start_node()
        elif victim == "camera":
            group.kill(camera.process)
            camera = processes.start_camera()
        else:
            group.kill(client.process)
            client = processes.start_client()
    await_hands(processes, client, time.time_ns())
