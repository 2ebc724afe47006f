"""The measurements of HaMeR run, where there is no GPU against stand-ins for what asks one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench import run
from hamer_ros.hamer.backend import HamerOutput
from hamer_ros.inference.device import Device

torch = pytest.importorskip("torch", reason="torch is optional")
from bench import hamer_frame, hamer_gpu  # noqa: E402 - they need it

ROOT = Path(__file__).parents[1]


class Toy:
    """Hands at rest."""

    description = "toy"

    def __call__(self, crops, check=None):
        n = len(crops)
        return HamerOutput(
            np.tile(np.eye(3, dtype=np.float32), (n, 1, 1)),
            np.tile(np.eye(3, dtype=np.float32), (n, 15, 1, 1)),
            np.zeros((n, 10), np.float32),
            np.tile(np.float32([-1, 0, 0]), (n, 1)),
        )


def test_the_measurements_of_a_gpu(monkeypatch, capsys):
    monkeypatch.setattr(hamer_gpu, "_matmul_rate", lambda device, precision: 700e12)
    monkeypatch.setattr(hamer_gpu, "_bandwidth", lambda device: 4e12)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H200")
    monkeypatch.setattr(hamer_gpu, "RUNS", 3)
    monkeypatch.setattr(hamer_gpu, "WARM_UP", 1)
    records = {r.name: r for r in hamer_gpu.measure_gpu(Toy(), "fp16", Device("cuda"))}
    assert list(records) == [f"hamer/gpu_p50_ms/b{size}" for size in (1, 2, 4, 8)]
    # 251.1 GFLOP at 700 TFLOP/s; for a single hand reading 1.26 GB at 4 TB/s takes almost as long.
    assert records["hamer/gpu_p50_ms/b1"].reference_value == pytest.approx(0.3587, abs=1e-3)
    assert records["hamer/gpu_p50_ms/b8"].reference_value == pytest.approx(2.87, abs=1e-2)
    said = capsys.readouterr().out
    assert (
        "NVIDIA H200: 700 TFLOP/s in a matrix product of 989 by its data sheet, 4000 GB/s" in said
    )


def test_whole_images_are_measured_with_and_without_the_node(monkeypatch, capsys):
    monkeypatch.setattr(hamer_frame, "SECONDS", 0.1)
    monkeypatch.setitem(sys.modules, "bench.node", None)  # as without ROS
    records = {r.name: r.value for r in hamer_frame.measure_frame(Toy(), "gpu")}
    assert list(records) == ["hamer/gpu_frame_p50_ms", "hamer/gpu_frame_p99_ms"]
    assert 0 < records["hamer/gpu_frame_p50_ms"] <= records["hamer/gpu_frame_p99_ms"]
    said = capsys.readouterr().out
    assert "frame: 2 hands placed" in said
    assert "the node is left out: " in said


def test_areas_that_lack_something_are_left_out_of_all(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run, "AREAS", {"a": "records:keep", "b": "no_such_module:measure"})
    monkeypatch.setattr(run, "_measurement", _only_a)
    assert run.run_areas(None, tmp_path) == 0
    assert "left out: no module b" in capsys.readouterr().out
    assert run.run_areas("b", tmp_path) == 1
    assert "area b cannot be measured here: no module b" in capsys.readouterr().err


def _only_a(area, device, extent):
    if area == "b":
        raise ImportError("no module b")
    return lambda out: [run.Record("a/x", 1.0, "", "one", 1.0)]


def test_what_is_unknown_is_refused_with_what_there_is(tmp_path, capsys):
    assert run.run_areas("speed", tmp_path) == 1
    assert "there are: landmarks," in capsys.readouterr().err
    assert run.run_areas("hamer", tmp_path, "gpu") == 1
    assert "known are: cpu, cuda, cuda:N" in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu_to_measure(tmp_path, capsys):
    assert run.run_areas("hamer", tmp_path, "cuda") == 1
    assert "device is cuda:0, but torch" in capsys.readouterr().err


def test_the_area_needs_neither_ros_nor_onnxruntime():
    """So that one command measures on a machine that has torch, numpy and OpenCV."""
    source = "import sys\n" + "".join(
        f"sys.modules[{name!r}] = None\n"
        for name in ("rclpy", "onnxruntime", "skimage", "onnx", "tqdm", "yaml")
    )
    source += "import bench.run, bench.__main__, bench.hamer"
    subprocess.run([sys.executable, "-c", source], check=True, cwd=ROOT)
