"""What several tests need before they can run."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Last, so that the package that is met is the installed one, and beside it `bench` and `tools`.
sys.path.append(str(Path(__file__).parents[1]))

from hamer_ros.demo.processes import free_domain
from hamer_ros.inference.model_store import MODELS, ModelsMissingError, model_path

STARTS_SOMETHING = re.compile(r"\b(rclpy|harness|subprocess|multiprocessing|run_demo)\b")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that start a node or processes: what they time is wrong beside others."""
    alone = {
        path: bool(STARTS_SOMETHING.search(path.read_text())) for path in {i.path for i in items}
    }
    for item in items:
        if alone[item.path]:
            item.add_marker(pytest.mark.alone)


@pytest.fixture(scope="session")
def models() -> None:
    """Skip where the palm and landmark models have not been fetched."""
    try:
        for model in MODELS:
            model_path(model)
    except ModelsMissingError as missing:
        pytest.skip(str(missing))


@pytest.fixture
def harness(monkeypatch) -> Iterator:
    """A node between a camera and a listener, in a ROS domain of its own."""
    rclpy = pytest.importorskip("rclpy", reason="needs ROS 2")
    pytest.importorskip("hamer_ros.msg", reason="needs the built messages")
    from node_harness import NodeHarness  # noqa: PLC0415 - it needs ROS

    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=free_domain("0"))
    harness = NodeHarness(context)
    yield harness
    harness.close()
    rclpy.try_shutdown(context=context)
