"""What several tests need before they can run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hamer_ros.demo.processes import free_domain
from hamer_ros.nets.store import NETS, NetsMissingError, net_path


@pytest.fixture(scope="session")
def nets() -> None:
    """Skip where the palm and landmark nets have not been fetched."""
    try:
        for net in NETS:
            net_path(net)
    except NetsMissingError as missing:
        pytest.skip(str(missing))


@pytest.fixture
def robot(monkeypatch) -> Iterator:
    """A node between a camera and a listener, in a ROS domain of its own."""
    rclpy = pytest.importorskip("rclpy", reason="needs ROS 2")
    pytest.importorskip("hamer_ros.msg", reason="needs the built messages")
    from robot import Robot  # noqa: PLC0415 - it needs ROS

    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=free_domain("0"))
    robot = Robot(context)
    yield robot
    robot.close()
    rclpy.try_shutdown(context=context)
