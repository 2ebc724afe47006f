"""What diagnostics say of the node's health, and of a GPU."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from diagnostic_msgs.msg import DiagnosticStatus

from hamer_ros.nets.device import Device
from hamer_ros.nets.gpu import gpu_memory, release_gpu_memory
from hamer_ros.ros.diagnostics import Rates, Situation, Statistics, health

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


@pytest.mark.parametrize(
    ("situation", "level", "text"),
    [
        (Situation("active", rates=Rates(30.0, 29.97)), OK, "30.0 frames/s"),
        (Situation("active", rates=Rates(30.0, 0.0)), ERROR, "none can be processed"),
        (Situation("active", topic="/image", silence=0.9), WARN, "no images on '/image' for 0.9 s"),
        (Situation("active", enabled=False), WARN, "switched off by ~/enable"),
        (Situation("inactive"), WARN, "not active, but inactive"),
        (Situation("unconfigured", "configure failed: no nets"), ERROR, "no nets"),
        (Situation("active", "CUDA error; loading", rates=Rates(3.0, 3.0)), ERROR, "CUDA error"),
    ],
)
def test_an_error_is_where_hands_are_wanted_and_none_can_come(situation, level, text):
    found = health(situation)
    assert found[0] == level
    assert text in found[1]


def test_silence_is_explained_and_only_then():
    def ask() -> str:
        asked.append(True)
        return "nobody publishes it"

    asked: list[bool] = []
    heard = Situation("active", "", True, "/image", 1.9, 2.0, ask, Rates(30.0, 30.0))
    assert health(heard)[0] == OK
    assert not asked
    silent = Situation("active", "", True, "/image", 3.2, 2.0, ask)
    assert health(silent) == (ERROR, "no images on '/image' for 3 s: nobody publishes it")


def test_a_switched_off_node_still_tells_of_a_silent_camera():
    silent = Situation("active", "", False, "/image", 9.0, 2.0, lambda: "QoS mismatch")
    assert health(silent)[0] == ERROR


def test_the_rate_is_counted_between_two_questions():
    statistics = Statistics()
    statistics.rates(10.0)
    for _ in range(15):
        statistics.received()
        statistics.received()
        statistics.processed(SimpleNamespace(stages={}, latency=0.0, hands=0))
    assert statistics.rates(10.5) == Rates(60.0, 30.0)
    assert statistics.rates(11.5) == Rates(0.0, 0.0)


class FakeCuda:
    """What is asked of torch.cuda."""

    emptied = 0

    def mem_get_info(self, index: int) -> tuple[int, int]:
        assert index == 1
        return 3_000_000_000, 8_000_000_000

    def memory_reserved(self, index: int) -> int:
        return 2_000_000_000

    def empty_cache(self) -> None:
        self.emptied += 1


def test_the_memory_of_a_gpu_is_that_of_all_processes_and_our_own(monkeypatch):
    cuda = FakeCuda()
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    memory = gpu_memory(Device.parse("cuda:1"))
    assert (memory.used, memory.own, memory.total) == (5000.0, 2000.0, 8000.0)
    release_gpu_memory(Device.parse("cuda:1"))
    assert cuda.emptied == 1


def test_a_cpu_has_none_and_torch_is_not_imported_to_ask(monkeypatch):
    assert gpu_memory(Device()) is None
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert gpu_memory(Device.parse("cuda")) is None
    assert "torch" not in sys.modules
