"""The node with estimator hamer: configured, refused for a reason, and configured again."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("hamer_ros.msg", reason="needs the built messages")
torch = pytest.importorskip("torch", reason="torch is optional")

import rclpy  # noqa: E402
from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from hamer_small import SMALL, small_network  # noqa: E402
from helpers import MODEL  # noqa: E402
from rclpy.context import Context  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.lifecycle import TransitionCallbackReturn  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from sensor_msgs.msg import CameraInfo, Image  # noqa: E402

from bench.golden import mano_fields  # noqa: E402
from hamer_ros.demo.processes import free_domain  # noqa: E402
from hamer_ros.hamer import torch_backend  # noqa: E402
from hamer_ros.msg import HandMeshArray  # noqa: E402
from hamer_ros.rendering.clip import HEIGHT, INTRINSICS, WIDTH, clip_frame  # noqa: E402
from hamer_ros.ros.images.decode import encode_rgb  # noqa: E402
from hamer_ros.ros.node import HamerNode  # noqa: E402

pytestmark = pytest.mark.usefixtures("models")


@pytest.fixture
def context(monkeypatch) -> Iterator[Context]:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    context = Context()
    rclpy.init(context=context, domain_id=free_domain("0"))
    yield context
    rclpy.try_shutdown(context=context)


@pytest.fixture
def node(context) -> Iterator[HamerNode]:
    node = HamerNode(context=context)
    yield node
    node.destroy_node()


@pytest.fixture
def files(tmp_path, monkeypatch) -> dict[str, str]:
    """The small network and a hand model, as parameters."""
    torch.save({"state_dict": small_network().state_dict()}, tmp_path / "hamer.ckpt")
    np.savez(tmp_path / "made_up.npz", **mano_fields())
    load = torch_backend.load_network
    monkeypatch.setattr(torch_backend, "load_network", lambda path: load(path, SMALL))
    return {
        "estimator": "hamer",
        "checkpoint": str(tmp_path / "hamer.ckpt"),
        "mano": str(tmp_path / "made_up.npz"),
    }


def set_all(node: HamerNode, values: dict[str, str]) -> None:
    results = node.set_parameters([Parameter(name, value=value) for name, value in values.items()])
    assert all(result.successful for result in results), results


def test_hands_of_hamer_say_what_made_them(context, node, files):
    set_all(node, files)
    node.start()
    other = rclpy.create_node("robot", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    executor.add_node(other)
    images = other.create_publisher(Image, "image", 1)
    infos = other.create_publisher(CameraInfo, "camera_info", 1)
    heard: list[HandMeshArray] = []
    told: list[DiagnosticArray] = []
    other.create_subscription(HandMeshArray, "/hamer/hands", heard.append, 10)
    other.create_subscription(DiagnosticArray, "/diagnostics", told.append, 10)
    image = encode_rgb(clip_frame(MODEL, 0).rgb)
    info = CameraInfo(width=WIDTH, height=HEIGHT, k=INTRINSICS.ravel().tolist())
    deadline = time.monotonic() + 20
    while not (heard and told) and time.monotonic() < deadline:
        frame_ends = time.monotonic() + 0.1
        image.header.stamp = info.header.stamp = other.get_clock().now().to_msg()
        image.header.frame_id = info.header.frame_id = "camera_optical_frame"
        infos.publish(info)
        images.publish(image)
        while (left := frame_ends - time.monotonic()) > 0:
            executor.spin_once(timeout_sec=left)
    executor.shutdown()
    other.destroy_node()
    assert (heard[0].estimator, heard[0].hand_model) == ("hamer", "made_up")
    values = {pair.key: pair.value for pair in told[-1].status[0].values}
    assert values["estimator"] == "hamer"
    assert values["engine"].startswith(f"torch {torch.__version__}, ")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"checkpoint": ""}, "HaMeR's checkpoint comes from"),
        ({"mano": "/nowhere/MANO_RIGHT.pkl"}, "/nowhere/MANO_RIGHT.pkl: no such file"),
        ({"backend": "onnxruntime"}, "hamer_ros export --checkpoint"),
        ({"backend": "tensorrt"}, "backend 'tensorrt' needs the device cuda"),
    ],
)
def test_what_fails_is_said_and_the_node_lives_on(node, files, capfd, change, reason):
    set_all(node, files | change)
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert reason in capfd.readouterr().err
    set_all(node, files | {"backend": "torch"})
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu(node, files, monkeypatch, capfd):
    # The detector's provider is asked for first; it is another test's.
    monkeypatch.setattr("hamer_ros.ros.models.make_detector", lambda *_: None)
    set_all(node, files | {"device": "cuda:1"})
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert "device is cuda:1, but torch" in capfd.readouterr().err
