"""An exported network is torch's, or it is not there."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest

from bench.golden import mano_fields
from hamer_ros.cli import main
from hamer_ros.errors import ConfigurationError, FileFormatError, MissingFileError
from hamer_ros.hamer.backend import BackendOptions
from hamer_ros.hamer.export_format import exported_path
from hamer_ros.hamer.make_backend import make_backend
from hamer_ros.hamer.vertex_distance import vertex_distances
from hamer_ros.hand_model.model import HandModel
from hamer_ros.inference.device import Device

torch = pytest.importorskip("torch", reason="torch is optional")
pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
from hamer_small import SMALL, crops, small_network  # noqa: E402

from bench.seeded_network import seeded_network  # noqa: E402
from hamer_ros.hamer import export  # noqa: E402
from hamer_ros.hamer.torch_backend import TorchBackend  # noqa: E402

TWENTIETH_OF_A_MILLIMETRE = 5e-5


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A checkpoint, a cache, and the checkpoint's export in both precisions there."""
    folder = tmp_path_factory.mktemp("export")
    torch.save({"state_dict": small_network().state_dict()}, folder / "hamer.ckpt")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HAMER_ROS_CACHE", str(folder / "cache"))
        load = export.load_network
        patch.setattr(export, "load_network", lambda path: load(path, SMALL))
        for precision in ("fp32", "fp16"):
            arguments = ["--checkpoint", str(folder / "hamer.ckpt"), "--precision", precision]
            assert main(["export", *arguments]) == 0
    return folder


@pytest.fixture
def checkpoint(folder, monkeypatch):
    monkeypatch.setenv("HAMER_ROS_CACHE", str(folder / "cache"))
    return folder / "hamer.ckpt"


def run_with(checkpoint, precision="auto", backend="onnxruntime", device="cpu"):
    return make_backend(checkpoint, BackendOptions(backend, precision, Device.parse(device)))


@pytest.mark.parametrize(
    ("precision", "limit"), [("fp32", TWENTIETH_OF_A_MILLIMETRE), ("fp16", 2e-3)]
)
def test_any_number_of_hands_is_as_in_torch(checkpoint, precision, limit):
    backend = run_with(checkpoint, precision)
    assert f"{precision}, cpu" in backend.description
    model = HandModel.from_fields("made up", mano_fields(), "golden")
    exact = TorchBackend(small_network())
    for n in (1, 2, 5):
        found, expected = backend(crops(n)), exact(crops(n))
        assert vertex_distances(found, expected, model).max() < limit
        np.testing.assert_allclose(found.camera, expected.camera, rtol=50 * limit)
    # fp16 is told apart from fp32 by what it rounds.
    distance = vertex_distances(backend(crops(2)), exact(crops(2)), model).max()
    assert bool(distance > 5e-6) is (precision == "fp16")


def test_the_network_of_full_size(tmp_path):
    """Under a minute and 6 GB: the check is that of the export itself."""
    lines = []
    export.export_network(seeded_network(), "fp32", tmp_path / "model.onnx", 256, lines.append)
    assert (tmp_path / "model.onnx.data").stat().st_size > 2.6e9
    # Far inside of what is allowed: both compute the same sums.
    error = float(re.search(r"within ([0-9.]+) mm", lines[-1]).group(1))
    assert error < 0.01


def test_on_a_cpu_auto_is_fp32(checkpoint):
    assert ", fp32, cpu" in run_with(checkpoint).description


def test_it_is_made_once(checkpoint, capsys):
    path = exported_path(checkpoint, "fp32")
    before = path.stat().st_mtime_ns
    assert main(["export", "--checkpoint", str(checkpoint)]) == 0
    assert f"exported in fp32 before: {path}" in capsys.readouterr().out
    assert path.stat().st_mtime_ns == before


def test_a_file_of_its_own_is_found_again_elsewhere(checkpoint, tmp_path, monkeypatch):
    """Without the checkpoint and without torch, say on a robot."""
    (tmp_path / "a").mkdir()
    export.export_network(
        small_network(), "fp16", tmp_path / "a" / "model.onnx", 256, lambda _: None
    )
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["model.onnx", "model.onnx.data"]
    (tmp_path / "a").rename(tmp_path / "b")
    weights = tmp_path / "b" / "model.onnx.data"
    weights.rename(tmp_path / "kept")
    with pytest.raises(MissingFileError, match=rf"^{weights}: no such file"):
        run_with(tmp_path / "b" / "model.onnx")
    (tmp_path / "kept").rename(weights)
    path = tmp_path / "b" / "model.onnx"
    assert ", fp16, cpu" in run_with(path).description
    with pytest.raises(ConfigurationError, match="exported in fp16, not in fp32"):
        run_with(path, "fp32")


def test_a_wrong_export_is_not_stored(tmp_path, monkeypatch):
    """As if the exporter had forgotten something."""
    monkeypatch.setattr(export, "vertex_distances", lambda *_: np.array([[1e-4]]))
    with pytest.raises(export.ExportError, match=r"differs from torch's by 0.100 mm"):
        export.export_network(small_network(), "fp32", tmp_path / "model.onnx", 256, lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_exported(tmp_path, capsys, monkeypatch):
    assert main(["export", "--checkpoint", str(tmp_path / "none.ckpt")]) == 1
    assert "none.ckpt" in capsys.readouterr().err
    (tmp_path / "bad.ckpt").write_bytes(b"\x80\x02.")
    assert main(["export", "--checkpoint", str(tmp_path / "bad.ckpt")]) == 1
    assert "not a checkpoint" in capsys.readouterr().err
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda name: None)
    assert main(["export", "--checkpoint", str(tmp_path / "bad.ckpt")]) == 1
    assert "pip install onnx onnxscript" in capsys.readouterr().err


def test_what_is_wrong_with_the_file_is_said_before_packages_are_asked_for(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "hamer_ros.hamer.export")
    monkeypatch.delattr("hamer_ros.hamer.export")
    bundle = tmp_path / "hamer_demo_data.tar.gz"
    bundle.write_bytes(b"\x1f\x8b")
    for path, said in (
        (tmp_path / "nope.ckpt", "nope.ckpt: no such file"),
        (bundle, "give the folder _DATA"),
    ):
        assert main(["export", "--checkpoint", str(path)]) == 1
        assert said in capsys.readouterr().err
    (tmp_path / "whole.ckpt").write_bytes(b"\x80\x02.")
    assert main(["export", "--checkpoint", str(tmp_path / "whole.ckpt")]) == 1
    assert "pip install torch" in capsys.readouterr().err


# What is asked for and what there is


def test_a_checkpoint_that_was_not_exported(checkpoint, tmp_path):
    other = tmp_path / "other.ckpt"
    other.write_bytes(b"another one")
    advice = f"hamer_ros export --checkpoint {other} --precision fp32"
    with pytest.raises(MissingFileError, match=advice):
        run_with(other)


def test_precisions_and_devices_that_there_are_not(checkpoint):
    with pytest.raises(ConfigurationError, match="fp32 or fp16, not bf16"):
        run_with(checkpoint, "bf16")
    with pytest.raises(ConfigurationError, match="needs the device cuda"):
        run_with(checkpoint, backend="tensorrt")


@pytest.mark.parametrize(
    ("backend", "provider"),
    [("onnxruntime", "CUDAExecutionProvider"), ("tensorrt", "TensorrtExecutionProvider")],
)
def test_a_missing_provider_is_named(checkpoint, backend, provider):
    onnxruntime = pytest.importorskip("onnxruntime")
    if provider in onnxruntime.get_available_providers():
        pytest.skip(f"{provider} is there")
    with pytest.raises(ConfigurationError, match=f"{provider}.*onnxruntime-gpu"):
        run_with(checkpoint, "fp32", backend, "cuda")


@pytest.mark.parametrize("backend", ["onnxruntime", "tensorrt"])
def test_the_gpu_asked_for_is_the_gpu_used(checkpoint, monkeypatch, backend):
    """As far as it can be seen without one: in what onnxruntime is told."""
    from hamer_ros.hamer import onnx_backend  # noqa: PLC0415

    told = {}
    plain = onnx_backend.OnnxModel

    def model(path, providers, threads):
        told.update(p for p in providers if not isinstance(p, str))
        return plain(path, threads=threads)

    monkeypatch.setattr(onnx_backend, "OnnxModel", model)
    run_with(checkpoint, "fp16", backend, "cuda:1")
    assert {options["device_id"] for options in told.values()} == {"1"}
    assert ("TensorrtExecutionProvider" in told) is (backend == "tensorrt")


def test_other_files_are_refused(checkpoint, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x08\x07\x12 not a model")
    with pytest.raises(FileFormatError, match=r"model.onnx: onnxruntime cannot load it on CPU"):
        run_with(path)
    path.write_bytes(b"<html>Sign in</html>")
    with pytest.raises(FileFormatError, match=r"model.onnx: is a web page, not an ONNX model"):
        run_with(path)
    path.unlink()
    with pytest.raises(MissingFileError, match=r"model.onnx: no such file"):
        run_with(path)


def test_the_exporter_keeps_quiet(folder, tmp_path, capfd):
    export.export_network(small_network(), "fp32", tmp_path / "model.onnx", 256, lambda _: None)
    assert capfd.readouterr() == ("", "")
