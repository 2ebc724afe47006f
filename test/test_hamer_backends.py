"""The network is run as it was asked for, or it is said why not.

What needs a GPU runs here against stand-ins for torch.cuda; the results of a GPU are measured by
``python -m bench --area hamer --device cuda``.
"""

from __future__ import annotations

import contextlib
import sys
import types

import numpy as np
import pytest

from bench.golden import MEAN, STD, mano_fields, recorded
from hamer_ros.errors import ConfigurationError, DeviceError, FileFormatError, MissingFileError
from hamer_ros.estimation import make_estimator
from hamer_ros.hamer.backend import BackendOptions
from hamer_ros.hamer.load_estimator import HamerOptions
from hamer_ros.hamer.make_backend import make_backend
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hand_model.skinning import forward
from hamer_ros.inference.device import Device

torch = pytest.importorskip("torch", reason="torch is optional")
from hamer_small import SMALL, crops, small_network  # noqa: E402

from bench.seeded_network import seeded_network  # noqa: E402
from hamer_ros.hamer import cuda_backend, torch_backend  # noqa: E402
from hamer_ros.hamer.cuda_backend import CudaBackend  # noqa: E402
from hamer_ros.hamer.torch_backend import (  # noqa: E402
    TorchBackend,
    choose_precision,
    set_precision,
)
from hamer_ros.inference import torch_device  # noqa: E402

CPU, CUDA = Device("cpu"), Device("cuda")
FIELDS = ("global_orient", "hand_pose", "betas", "camera")


def assert_close(found, expected, atol):
    for name in FIELDS:
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), atol=atol, err_msg=name
        )


@pytest.fixture
def small_checkpoint(tmp_path, monkeypatch):
    """A checkpoint of the small network, which is the expected one for once."""
    path = tmp_path / "hamer.ckpt"
    torch.save({"state_dict": small_network().state_dict()}, path)
    load = torch_backend.load_network
    monkeypatch.setattr(torch_backend, "load_network", lambda path: load(path, SMALL))
    return path


# Precision


@pytest.fixture(scope="module")
def low():
    """Distances in mm of the vertices of both recorded crops, in bf16 from the official ones."""
    network = seeded_network()
    set_precision(network, torch.bfloat16)
    expected = recorded("batch")
    output = TorchBackend(network, "bf16")(
        (expected["pixels"] - MEAN[:, None, None]) / STD[:, None, None]
    )
    model = HandModel.from_fields("made up", mano_fields(), "golden")
    rotations = np.concatenate([output.global_orient[:, None], output.hand_pose], axis=1)
    vertices = [
        forward(model, *hand).vertices for hand in zip(rotations, output.betas, strict=True)
    ]
    return 1e3 * np.linalg.norm(np.stack(vertices) - expected["vertices"], axis=-1)


def test_bf16_is_near_the_official_hands(low):
    """Random weights magnify rounding; the limits are for them."""
    assert 0.01 < low.mean() < 0.5
    assert low.max() < 2.0


def test_the_head_stays_in_fp32():
    network = small_network()
    set_precision(network, torch.bfloat16)
    low = {name for name, value in network.state_dict().items() if value.dtype is torch.bfloat16}
    assert low == {
        f"backbone.{name}.{kind}"
        for name in [
            "patch_embed.proj",
            *(
                f"blocks.{i}.{part}"
                for i in range(2)
                for part in ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
            ),
        ]
        for kind in ("weight", "bias")
    }
    assert network.backbone(torch.zeros(1, 3, 256, 192)).dtype is torch.float32


@pytest.mark.parametrize(("fast", "precision"), [(True, "bf16"), (False, "fp32")])
def test_a_cpu_computes_in_what_it_is_fast_in(small_checkpoint, monkeypatch, fast, precision):
    monkeypatch.setattr(torch_backend, "bf16_is_fast", lambda: fast)
    backend = make_backend(small_checkpoint, BackendOptions())
    assert f", {precision}, cpu" in backend.description
    exact = TorchBackend(small_network())(crops(2))
    assert_close(backend(crops(2)), exact, 0.05 if fast else 1e-6)
    chosen = make_backend(small_checkpoint, BackendOptions(precision="fp32"))
    assert ", fp32, cpu" in chosen.description


def test_whether_bf16_is_fast_is_measured(monkeypatch):
    """A CPU without the instructions emulates them."""
    clock = [0.0]

    def product(factor):
        def mm(a, b):
            clock[0] += factor if a.dtype is torch.bfloat16 else 1.0

        return mm

    monkeypatch.setattr(torch_backend.time, "perf_counter", lambda: clock[0])
    for factor, fast in ((0.5, True), (0.95, False), (20.0, False)):
        monkeypatch.setattr(torch, "mm", product(factor))
        assert torch_backend.bf16_is_fast() is fast


def test_results_that_are_not_finite_are_an_error(small_checkpoint, monkeypatch):
    content = torch.load(small_checkpoint)
    content["state_dict"]["backbone.blocks.0.mlp.fc1.bias"][3] = torch.inf
    torch.save(content, small_checkpoint)
    with pytest.raises(ConfigurationError, match="not finite"):
        make_backend(small_checkpoint, BackendOptions(precision="fp32"))


# What is asked for and what there is


@pytest.mark.parametrize(
    ("text", "device"),
    [("cpu", CPU), ("cuda", CUDA), ("cuda:0", CUDA), ("cuda:13", Device("cuda", 13))],
)
def test_devices(text, device):
    assert Device.parse(text) == device


@pytest.mark.parametrize(
    "text", ["", "gpu", "cpu:0", "cuda:", "cuda:-1", "cuda:x", "CUDA", "cuda "]
)
def test_other_devices_are_refused_with_those_there_are(text):
    with pytest.raises(ValueError, match="known are: cpu, cuda, cuda:N"):
        Device.parse(text)


def test_unknown_choices_are_refused_with_those_there_are(small_checkpoint):
    with pytest.raises(ValueError, match="'tf'; known are: torch, onnxruntime, tensorrt"):
        make_backend(small_checkpoint, BackendOptions(backend="tf"))
    with pytest.raises(ValueError, match="'int8'; known are: auto, fp32, bf16, fp16"):
        make_backend(small_checkpoint, BackendOptions(precision="int8"))


@pytest.mark.parametrize(
    ("backend", "device", "advice"),
    [
        ("torch", CPU, "pip install torch"),
        ("onnxruntime", CPU, r"pip install onnxruntime$"),
        ("onnxruntime", CUDA, "pip install onnxruntime-gpu"),
        ("tensorrt", CUDA, "pip install onnxruntime-gpu"),
    ],
)
def test_a_missing_package_is_named(tmp_path, monkeypatch, backend, device, advice):
    missing = {"torch": "torch"}.get(backend, "onnxruntime")
    module = {"torch": "torch_backend"}.get(backend, "onnx_backend")
    monkeypatch.delitem(sys.modules, f"hamer_ros.hamer.{module}", raising=False)
    monkeypatch.delattr(f"hamer_ros.hamer.{module}", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingFileError, match=advice):
        make_backend(tmp_path / "hamer.ckpt", BackendOptions(backend, device=device))


# GPUs


@pytest.fixture
def gpus(monkeypatch):
    """Two GPUs, as far as questions go."""
    cuda = torch.cuda
    monkeypatch.setattr(cuda, "is_available", lambda: True)
    monkeypatch.setattr(cuda, "device_count", lambda: 2)
    monkeypatch.setattr(cuda, "get_device_name", lambda _: "NVIDIA Toy")
    monkeypatch.setattr(cuda, "get_device_capability", lambda _: (9, 0))
    monkeypatch.setattr(cuda, "is_bf16_supported", lambda including_emulation: True)
    monkeypatch.setattr(cuda, "device", lambda _: contextlib.nullcontext())


def test_no_gpu_where_one_was_asked_for(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(ConfigurationError, match="this build is for CPUs"):
        choose_precision("auto", CUDA)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch_device, "has_driver", lambda: False)
    with pytest.raises(ConfigurationError, match=r"built for CUDA 13.0, .*no driver.*device:=cpu"):
        choose_precision("fp16", CUDA)


def test_a_gpu_that_was_there_and_does_not_answer_is_a_failing_device(monkeypatch):
    """Its driver is still there, and another process may find it well."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch_device, "has_driver", lambda: True)
    with pytest.raises(DeviceError, match="no GPU that answers; nvidia-smi"):
        choose_precision("auto", CUDA)


def test_a_gpu_that_is_not_there(gpus):
    present = r"cuda:2; present are: cuda:0 \(NVIDIA Toy\), cuda:1 \(NVIDIA Toy\)"
    with pytest.raises(ConfigurationError, match=present):
        choose_precision("auto", Device("cuda", 2))


def test_the_precision_of_a_gpu(gpus, monkeypatch):
    assert choose_precision("auto", CUDA) == "fp16"
    assert choose_precision("bf16", CUDA) == "bf16"
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (6, 1))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    assert choose_precision("auto", CUDA) == "fp32"
    with pytest.raises(ConfigurationError, match="NVIDIA Toy has no bf16"):
        choose_precision("bf16", CUDA)


class Recording:
    """Computes anew where a graph would be replayed."""

    room = 8
    replayed: tuple[int, ...] = ()

    def __init__(self, compute, stream, pool):
        self._compute = compute
        self.result = compute()
        if len(self.result) > Recording.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    def replay(self):
        Recording.replayed += (len(self.result),)
        self.result.copy_(self._compute())


@pytest.fixture
def recording(gpus, monkeypatch):
    cuda = torch.cuda
    stream = types.SimpleNamespace(synchronize=lambda: None)
    monkeypatch.setattr(cuda, "Stream", lambda _: stream)
    monkeypatch.setattr(cuda, "stream", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(cuda, "graph_pool_handle", lambda: (0, 1))
    monkeypatch.setattr(cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(cuda_backend, "_pinned", torch.empty)
    monkeypatch.setattr(cuda_backend, "Recording", Recording)
    monkeypatch.setattr(Recording, "room", 8)
    monkeypatch.setattr(Recording, "replayed", ())


@pytest.mark.parametrize(
    ("room", "n", "sizes"),
    [
        (8, 1, (1,)),
        (8, 2, (2,)),
        (8, 3, (4,)),
        (8, 5, (8,)),
        (8, 8, (8,)),
        (8, 11, (8, 4)),
        (4, 5, (4, 1)),
        (2, 5, (2, 2, 1)),
        (1, 2, (1, 1)),
        (8, 0, ()),
    ],
)
def test_any_number_of_hands_is_run_in_the_sizes_recorded(recording, room, n, sizes):
    Recording.room = room
    backend = CudaBackend(small_network(), torch.device("cpu"), "fp32")
    assert f"up to {room} hands" in backend.description
    backend(crops(8)[::-1].copy())  # leaves other crops behind
    Recording.replayed = ()
    found = backend(crops(n))
    assert Recording.replayed == sizes
    assert_close(found, TorchBackend(small_network())(crops(n)), 1e-5)


def test_results_do_not_change_when_the_next_ones_come(recording):
    backend = CudaBackend(small_network(), torch.device("cpu"), "fp32")
    first = backend(crops(2))
    kept = first.betas.copy()
    backend(crops(2)[::-1].copy())
    np.testing.assert_array_equal(first.betas, kept)


def test_no_room_for_a_single_hand(recording):
    Recording.room = 0
    with pytest.raises(DeviceError, match=r"memory of cpu \(NVIDIA Toy\) does not suffice .*fp16"):
        CudaBackend(small_network(), torch.device("cpu"), "fp32")


def test_memory_that_runs_out_in_a_library_or_at_the_end_of_a_recording(recording, monkeypatch):
    def fail(self, compute, stream, pool):
        if len(compute()) > 4:
            raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate")
        if len(compute()) > 1:
            try:
                raise torch.OutOfMemoryError("CUDA out of memory")
            finally:
                raise RuntimeError("operation failed due to a previous error during capture")
        self.result = compute()

    monkeypatch.setattr(Recording, "__init__", fail)
    backend = CudaBackend(small_network(), torch.device("cpu"), "fp32")
    assert "up to 1 hands" in backend.description


def test_other_errors_of_the_gpu_are_not_taken_for_that(recording, monkeypatch):
    def fail(self, compute, stream, pool):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(Recording, "__init__", fail)
    with pytest.raises(DeviceError, match=r"^CUDA error: an illegal memory access"):
        CudaBackend(small_network(), torch.device("cpu"), "fp32")


def test_a_gpu_that_is_lost_while_it_computes_is_a_failing_device(recording, monkeypatch):
    def lost(_):
        raise RuntimeError("CUDA error: unspecified launch failure")

    backend = CudaBackend(small_network(), torch.device("cpu"), "fp32")
    monkeypatch.setattr(Recording, "replay", lost)
    with pytest.raises(DeviceError, match="unspecified launch failure"):
        backend(crops(1))


def test_an_error_of_ours_on_a_gpu_is_none_of_the_device(recording):
    backend = CudaBackend(small_network(), torch.device("cpu"), "fp32")
    with pytest.raises(ValueError, match="shape"):
        backend(np.zeros((1, 3, 200, 256), np.float32))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_on_a_gpu(small_checkpoint, precision):
    """The graphs themselves; the small network in every size."""
    backend = make_backend(small_checkpoint, BackendOptions("torch", precision, CUDA))
    exact = TorchBackend(small_network())
    for n in (1, 2, 3, 8, 11):
        assert_close(backend(crops(n)), exact(crops(n)), 1e-3 if precision == "fp32" else 0.05)


# The estimator


@pytest.fixture
def data_folder(tmp_path, small_checkpoint):
    """HaMeR's folder _DATA, with the small network."""
    folder = tmp_path / "_DATA"
    (folder / "hamer_ckpts" / "checkpoints").mkdir(parents=True)
    small_checkpoint.rename(folder / "hamer_ckpts" / "checkpoints" / "hamer.ckpt")
    np.savez(tmp_path / "mano.npz", **mano_fields())
    return folder


def test_the_estimator_is_made_from_paths(data_folder, tmp_path):
    mano = str(tmp_path / "mano.npz")
    for checkpoint in (data_folder, data_folder / "hamer_ckpts" / "checkpoints" / "hamer.ckpt"):
        estimator = make_estimator("hamer", HamerOptions(str(checkpoint), mano))
        assert estimator.name == "hamer"
        assert estimator.model.name == "mano"
        assert estimator.engine.startswith("torch ")


def test_missing_files_are_named(data_folder, tmp_path):
    with pytest.raises(ConfigurationError, match=r"checkpoint:=/path/to/_DATA.*fetch_demo_data"):
        make_estimator("hamer")
    bundle = tmp_path / "hamer_demo_data.tar.gz"
    bundle.write_bytes(b"\x1f\x8b")
    with pytest.raises(FileFormatError, match=r"hamer_demo_data.tar.gz: .*give the folder _DATA"):
        make_estimator("hamer", HamerOptions(str(bundle)))
    exported = tmp_path / "hamer.onnx"
    exported.write_bytes(b"\x08\x07\x12\x07pytorch")
    with pytest.raises(FileFormatError, match=r"hamer.onnx: is an ONNX.*backend:=onnxruntime"):
        make_estimator("hamer", HamerOptions(str(exported), str(tmp_path / "mano.npz")))
    with pytest.raises(FileNotFoundError, match=r"MANO_RIGHT.pkl.*mano.is.tue.mpg.de"):
        make_estimator("hamer", HamerOptions(str(data_folder)))
    with pytest.raises(FileNotFoundError, match=r"nowhere.*fetch_demo_data"):
        make_estimator("hamer", HamerOptions(str(tmp_path / "nowhere")))
