"""A GPU that fails is told from everything else that goes wrong with a model."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from hamer_ros.errors import ConfigurationError, DeviceError, FileFormatError, MissingFileError
from hamer_ros.inference import onnx_session as session
from hamer_ros.inference.device_failures import device_errors, is_device_failure
from hamer_ros.inference.onnx_session import OnnxModel

CUDA = ("CUDAExecutionProvider", "CPUExecutionProvider")

OF_A_GPU = [
    "CUDA error: out of memory",
    "CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be",
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.10 GiB",
    "CUDA driver error: unknown error",
    "cuDNN error: CUDNN_STATUS_NOT_INITIALIZED",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "No CUDA GPUs are available",
    "operation failed due to a previous error during capture",
    "[ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned while running Conv node. CUDNN"
    " failure 4: CUDNN_STATUS_INTERNAL_ERROR ; GPU=0",
    "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : CUDA failure 2: out of memory ; GPU=0 ;"
    " hostname=robot ; expr=cudaMalloc((void**)&p, size)",
    "/onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:376 Failed to allocate memory for"
    " requested buffer of size 13107200",
]
"""As torch and onnxruntime write them."""

OF_NO_GPU = [
    "No module named 'onnxruntime'",
    "Load model from hamer.onnx failed:Protobuf parsing failed.",
    "size mismatch, got input (2), mat (2x3), vec (4)",
    "Torch not compiled with CUDA enabled",
    "libcublasLt.so.12: cannot open shared object file: No such file or directory",
]


@pytest.mark.parametrize("text", OF_A_GPU)
def test_what_torch_and_onnxruntime_say_of_a_failing_gpu_is_an_error_of_the_device(text):
    with pytest.raises(DeviceError) as error, device_errors():
        raise RuntimeError(text)
    assert str(error.value) == text


@pytest.mark.parametrize("text", OF_NO_GPU)
def test_other_errors_pass_as_they_are(text):
    error = RuntimeError(text)
    with pytest.raises(RuntimeError) as passed, device_errors():
        raise error
    assert passed.value is error


def test_an_error_that_was_named_already_keeps_its_name():
    with pytest.raises(FileFormatError, match="CUDA error"), device_errors():
        raise FileFormatError("CUDA error.onnx: is a web page")


def test_the_first_cause_counts():
    try:
        try:
            raise RuntimeError("CUDA error: device lost")
        except RuntimeError:
            raise ValueError("cannot copy") from None
    except ValueError as error:
        assert is_device_failure(error)


def test_torchs_own_classes_are_known():
    torch = pytest.importorskip("torch", reason="torch is optional")
    assert is_device_failure(torch.OutOfMemoryError("no words that are known"))


class Session:
    """Of an onnxruntime with a GPU that says something."""

    said = ""
    fails_at = "load"

    def __init__(self, *_, **__):
        if self.fails_at == "load":
            raise RuntimeError(self.said)

    def get_providers(self):
        return list(CUDA)

    def get_inputs(self):
        return [self]

    name = "x"

    def disable_fallback(self):
        pass

    def run(self, *_):
        raise RuntimeError(self.said)


@pytest.fixture
def on_gpu(monkeypatch, tmp_path):
    """Makes a model of a file, on a GPU that says something when it is loaded or run."""
    onnxruntime = pytest.importorskip("onnxruntime")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(CUDA))
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x08\x07\x12\x07pytorch")

    def make(said, fails_at="load"):
        monkeypatch.setattr(Session, "said", said)
        monkeypatch.setattr(Session, "fails_at", fails_at)
        return OnnxModel(path, CUDA)

    return make


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("CUDA failure 2: out of memory ; GPU=0", DeviceError),
        ("CUDA failure 100: no CUDA-capable device is detected", DeviceError),
        ("Invalid device ID: 7, must be between 0 and 0 (inclusive).", ConfigurationError),
        ("Load model from model.onnx failed:Protobuf parsing failed.", FileFormatError),
    ],
)
def test_a_good_file_that_a_gpu_has_no_room_for_is_not_called_damaged(on_gpu, said, kind):
    with pytest.raises(kind, match=r"model\.onnx: onnxruntime cannot load it on CUDA"):
        on_gpu(said)


@pytest.mark.parametrize(
    "run", [OnnxModel.__call__, lambda model, x: model.run_while_wanted(x, int)]
)
def test_a_gpu_that_fails_in_a_run_is_an_error_of_the_device(on_gpu, run):
    model = on_gpu("CUDA failure 700: an illegal memory access", "run")
    with pytest.raises(DeviceError, match="illegal memory access"):
        run(model, np.zeros(3))
    model = on_gpu("Got invalid dimensions for input", "run")
    with pytest.raises(RuntimeError) as error:
        run(model, np.zeros(3))
    assert not isinstance(error.value, DeviceError)


def test_without_onnxruntime_it_is_said_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    for providers, package in ((session.CPU, "onnxruntime"), (CUDA, "onnxruntime-gpu")):
        with pytest.raises(MissingFileError, match=rf"pip install {package}$"):
            OnnxModel(tmp_path / "model.onnx", providers)
