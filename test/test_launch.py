"""The launch file, where launch exists: it explains itself, and the node that it starts works."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("launch", reason="launch has no wheel")
pytest.importorskip("launch_ros", reason="launch_ros has no wheel")
pytest.importorskip("hamer_ros.msg", reason="needs the built messages")

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription, LaunchService
from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    RegisterEventHandler,
    Shutdown,
    TimerAction,
)
from launch.event_handlers import OnProcessIO
from launch.launch_description_sources import PythonLaunchDescriptionSource

pytestmark = pytest.mark.usefixtures("nets")


@pytest.fixture
def launch_file() -> Path:
    return Path(get_package_share_directory("hamer_ros")) / "launch" / "hamer.launch.py"


def test_every_argument_is_described(launch_file):
    spec = importlib.util.spec_from_file_location("hamer_launch", launch_file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    entities = module.generate_launch_description().entities
    arguments = [e for e in entities if isinstance(e, DeclareLaunchArgument)]
    assert {a.name for a in arguments} >= {"image_topic", "estimator", "device", "params_file"}
    assert all(len(a.description) > 15 for a in arguments)


def test_the_node_comes_up_with_the_topics_asked_for(launch_file, monkeypatch):
    monkeypatch.setenv("ROS_DOMAIN_ID", "79")
    said: list[str] = []

    def listen(event):
        said.append(event.text.decode())
        return Shutdown() if "intrinsics from" in said[-1] else None

    service = LaunchService(argv=[])
    service.include_launch_description(
        LaunchDescription(
            [
                RegisterEventHandler(OnProcessIO(on_stdout=listen, on_stderr=listen)),
                TimerAction(period=30.0, actions=[Shutdown(reason="timeout")]),
                IncludeLaunchDescription(
                    PythonLaunchDescriptionSource(str(launch_file)),
                    launch_arguments=[("image_topic", "/cam/image_rect"), ("rectified", "true")],
                ),
            ]
        )
    )
    asyncio.set_event_loop(asyncio.new_event_loop())
    assert service.run() == 0
    log = "".join(said)
    assert "images from '/cam/image_rect', intrinsics from '/cam/camera_info'" in log
