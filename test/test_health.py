"""What diagnostics say of the node's health, and of a GPU."""

from __future__ import annotations

import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from diagnostic_msgs.msg import DiagnosticStatus

from hamer_ros.inference import gpu_memory as gpu
from hamer_ros.inference.device import Device
from hamer_ros.inference.gpu_memory import GpuMemory, gpu_memory, release_gpu_memory
from hamer_ros.ros.monitoring.health import Situation, health
from hamer_ros.ros.monitoring.statistics import Flow, Statistics

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


FLOWING = Flow(300, 29.97)
REFUSED = Flow(300, 29.97, is_refused=True)


@pytest.mark.parametrize(
    ("situation", "level", "text"),
    [
        (Situation("active", flow=FLOWING), OK, "30.0 frames/s"),
        (Situation("active", flow=REFUSED), ERROR, "none can be processed"),
        (Situation("active", flow=REFUSED, enabled=False), WARN, "switched off by ~/enable"),
        (Situation("active", topic="/image", silence=0.9), WARN, "no images on '/image' for 0.9 s"),
        (Situation("active", flow=FLOWING, under_way=9.0), OK, "frames/s"),
        (Situation("active", flow=FLOWING, under_way=31.0), ERROR, "under way for 31 s"),
        (Situation("inactive"), WARN, "not active, but inactive"),
        (Situation("unconfigured", "configure failed: no models"), ERROR, "no models"),
        (Situation("active", flow=FLOWING, problem="CUDA error; loading"), ERROR, "CUDA error"),
        (Situation("inactive", flow=FLOWING, problem="CUDA error"), WARN, "inactive"),
        (Situation("active", flow=FLOWING, problem="CUDA error", enabled=False), WARN, "off"),
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
    camera = {"topic": "/image", "silence_after": 2.0, "why_silent": ask, "flow": FLOWING}
    assert health(Situation("active", silence=1.9, **camera))[0] == OK
    assert not asked
    silent = (ERROR, "no images on '/image' for 3 s: nobody publishes it")
    assert health(Situation("active", silence=3.2, **camera)) == silent
    both = health(Situation("active", silence=3.2, problem="CUDA error", **camera))
    assert both == (ERROR, silent[1] + "; CUDA error")


def test_a_switched_off_node_still_tells_of_a_silent_camera():
    silent = Situation("active", enabled=False, silence=9.0, silence_after=2.0)
    assert health(silent)[0] == ERROR


def processed(statistics: Statistics, frames: int) -> None:
    for _ in range(frames):
        statistics.processed(SimpleNamespace(steps={}, latency=0.0, hands=0))


def test_the_rate_is_that_of_the_last_seconds():
    statistics = Statistics(10.0)
    processed(statistics, 15)
    assert statistics.flow(10.5).rate == 30.0
    processed(statistics, 45)
    assert statistics.flow(12.0).rate == 30.0
    rates = [statistics.flow(12.0 + second).rate for second in range(1, 8)]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == 0.0


def test_an_estimator_that_takes_seconds_for_an_image_is_not_broken():
    """A second without one is no error while images only give way to newer ones."""
    statistics, rates = Statistics(0.0), []
    for second in range(1, 21):
        for _ in range(30):
            statistics.received()
            statistics.dropped("newer image came")
        if second % 3 == 0:
            processed(statistics, 1)
        flow = statistics.flow(float(second))
        assert not flow.is_refused
        assert flow.received == 30 * second
        rates.append(flow.rate)
    assert min(rates[5:]) > 0.0
    assert np.mean(rates[5:]) == pytest.approx(1 / 3, rel=0.1)


def test_images_that_are_all_refused_are_told_within_a_second():
    statistics = Statistics(0.0)
    processed(statistics, 30)
    assert not statistics.flow(1.0).is_refused
    statistics.dropped("bad image")
    assert statistics.flow(2.0).is_refused
    assert not statistics.flow(3.0).is_refused
    statistics.dropped("bad image")
    processed(statistics, 1)
    assert not statistics.flow(4.0).is_refused


DRIVER = """
#include <stddef.h>
#include <stdint.h>
static int depth = 0, retained = 0;
int cuInit(unsigned flags) { return flags; }
int cuDeviceGet(int *device, int index) { *device = 40 + index; return index > 1 ? 101 : 0; }
int cuDevicePrimaryCtxRetain(void **context, int device) {
    *context = (void *)(intptr_t)0x123456789abcdefLL; retained++; return device == 41 ? 0 : 1; }
int cuCtxPushCurrent_v2(void *context) {
    depth++; return context == (void *)(intptr_t)0x123456789abcdefLL ? 0 : 2; }
int cuMemGetInfo_v2(size_t *free, size_t *total) {
    *free = 3000000000; *total = 8000000000; return depth == 1 && retained == 1 ? 0 : 3; }
int cuCtxPopCurrent_v2(void **context) { *context = 0; depth--; return 0; }
int cuDevicePrimaryCtxRelease_v2(int device) { retained--; return device == 41 ? 0 : 4; }
"""
"""Of CUDA's driver, what tells of memory; it fails where it is used in another way."""


@pytest.fixture(scope="module")
def driver(tmp_path_factory) -> str:
    compiler = shutil.which("cc") or pytest.skip("needs a C compiler")
    folder = tmp_path_factory.mktemp("driver")
    (folder / "driver.c").write_text(DRIVER)
    library = folder / "libcuda.so"
    command = [compiler, "-shared", "-fPIC", str(folder / "driver.c"), "-o", str(library)]
    subprocess.run(command, check=True)
    return str(library)


class FakeCuda:
    """What is asked of torch.cuda."""

    emptied = 0

    def is_available(self) -> bool:
        return True

    def memory_reserved(self, index: int) -> int:
        assert index == 1
        return 2_000_000_000

    def empty_cache(self) -> None:
        self.emptied += 1


def test_the_memory_of_a_gpu_is_asked_of_the_driver_again_and_again(driver, monkeypatch):
    monkeypatch.setattr(gpu, "DRIVER", driver)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    for _ in range(3):
        assert gpu_memory(Device.parse("cuda:1")) == GpuMemory(5000.0, 8000.0, None)
    assert "torch" not in sys.modules
    with pytest.raises(RuntimeError, match="cuDeviceGet fails with CUDA error 101"):
        gpu_memory(Device.parse("cuda:2"))


def test_torch_tells_what_it_holds_and_gives_it_back(driver, monkeypatch):
    monkeypatch.setattr(gpu, "DRIVER", driver)
    cuda = FakeCuda()
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert gpu_memory(Device.parse("cuda:1")).torch == 2000.0
    release_gpu_memory(Device.parse("cuda:1"))
    assert cuda.emptied == 1


def test_a_cpu_and_a_machine_without_a_driver_have_none(monkeypatch):
    assert gpu_memory(Device()) is None
    monkeypatch.setattr(gpu, "DRIVER", "libcuda-of-nobody.so.1")
    assert gpu_memory(Device.parse("cuda")) is None
