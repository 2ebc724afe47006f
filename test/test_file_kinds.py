"""A file is called what it is, whatever its name says."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import tarfile
import zipfile

import cv2
import numpy as np
import pytest

from hamer_ros.errors import ConfigurationError, FileFormatError, MissingFileError
from hamer_ros.files.kinds import refusal, user_file, what_is


def tar(mode: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        archive.addfile(tarfile.TarInfo("_DATA/hamer.ckpt"), io.BytesIO())
    return buffer.getvalue()


def archived(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def arrays() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, a=np.zeros(3), b=np.ones(2))
    return buffer.getvalue()


def array() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


def picture(kind: str) -> bytes:
    return cv2.imencode(kind, np.zeros((8, 8, 3), np.uint8))[1].tobytes()


KINDS = {
    "nothing": (b"", "an empty file"),
    "login page": (b"\r\n<!DOCTYPE html>\n<html><head>", "a web page"),
    "page with a mark of its order": (b"\xef\xbb\xbf<HTML lang=de>", "a web page"),
    "page after a comment": (b"<?xml version='1.0'?>\n<html xmlns='x'>", "a web page"),
    "LFS": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n",
        "a pointer that Git LFS left in place of the file",
    ),
    "tar.gz": (tar("w:gz"), "a .tar.gz archive"),
    "tar": (tar("w"), "a .tar archive"),
    "gz": (gzip.compress(b"hello"), "a .gz file"),
    "damaged gz": (gzip.compress(b"hello" * 99)[:12], "a .gz file"),
    "xz": (lzma.compress(b"hello"), "a .xz file"),
    "bz2": (bz2.compress(b"hello"), "a .bz2 file"),
    "zip": (archived(readme=b"hello"), "a .zip archive"),
    "half a zip": (archived(readme=b"hello")[:20], "the beginning of a .zip archive or PyTorch"),
    "7z": (b"7z\xbc\xaf\x27\x1c\0\4", "a .7z archive"),
    "rar": (b"Rar!\x1a\x07\x01\0", "a .rar archive"),
    "torch": (archived(**{"hamer/data.pkl": b"", "hamer/data/0": b""}), "a PyTorch checkpoint"),
    "script": (archived(**{"x/data.pkl": b"", "x/constants.pkl": b""}), "a TorchScript program"),
    "npz": (arrays(), "an .npz file"),
    "npy": (array(), "an .npy file"),
    "safetensors": ((20).to_bytes(8, "little") + b'{"a":{"dtype":"F32"}}', "a .safetensors file"),
    "png": (picture(".png"), "a picture"),
    "jpg": (picture(".jpg"), "a picture"),
    "webp": (picture(".webp"), "a picture"),
    "tiff": (picture(".tiff"), "a picture"),
    "pdf": (b"%PDF-1.7\n", "a PDF document"),
    "hdf5": (b"\x89HDF\r\n\x1a\n\0", "an HDF5 file"),
    "tflite": (b"\x1c\0\0\0TFL3\0\0", "a TensorFlow Lite model"),
    "ROS 1's bag": (b"#ROSBAG V2.0\n\0", "a recording"),
    "mcap": (b"\x89MCAP0\r\n\1", "a recording"),
    "db3": (b"SQLite format 3\0\x10\0", "a database, perhaps a recording"),
    "text": (b"image_width: 640\n", "a text file"),
    "anything": (bytes(range(1, 200)), "a file of no kind that is known here"),
    **{
        f"pickle of protocol {protocol}": (
            pickle.dumps({"v_template": [1.0, 2.0]}, protocol=protocol),
            "a Python pickle",
        )
        for protocol in range(6)
    },
}


@pytest.mark.parametrize("name", KINDS)
def test_a_file_is_called_what_it_is(tmp_path, name):
    content, kind = KINDS[name]
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(content)
    assert what_is(path).startswith(kind)


def test_a_folder_is_called_that(tmp_path):
    assert what_is(tmp_path) == "a folder"


def test_torchs_own_files_are_called_so(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is optional")
    path = tmp_path / "file"
    torch.save({"a": torch.zeros(3)}, path)
    assert what_is(path) == "a PyTorch checkpoint"
    path.write_bytes(path.read_bytes()[:-30])
    assert what_is(path) == "the beginning of a .zip archive or PyTorch checkpoint"
    torch.save({"a": torch.zeros(3)}, path, _use_new_zipfile_serialization=False)
    assert what_is(path) == "a PyTorch checkpoint of the old format"


def test_an_onnx_model_is_called_so(tmp_path):
    onnx = pytest.importorskip("onnx")
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    x, y = (onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1]) for n in "xy")
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [x], [y]))
    for producer in ("", "pytorch"):
        model.producer_name = producer
        onnx.save(model, tmp_path / "model")
        assert what_is(tmp_path / "model") == "an ONNX model"


def test_a_refusal_says_what_helps(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"<html>Too many users have viewed or downloaded this file</html>")
    error = refusal(path, "an ONNX model")
    assert isinstance(error, FileFormatError)
    assert str(error).startswith(
        f"{path}: is a web page, not an ONNX model: probably the login page"
    )


def test_a_given_path_is_absolute_or_it_is_said_what_is_wrong(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "model.onnx").touch()
    for path in ("model.onnx", "~/model.onnx", "./x/../model.onnx", tmp_path / "model.onnx"):
        assert user_file(path, "an ONNX model") == tmp_path / "model.onnx"
    with pytest.raises(MissingFileError, match=rf"^{tmp_path}/none: no such file\. Ask me$"):
        user_file("none", "an ONNX model", "Ask me")
    with pytest.raises(
        FileFormatError, match=r"is a folder, not an ONNX model: give the file in it"
    ):
        user_file(tmp_path, "an ONNX model")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may read everything
    with pytest.raises(ConfigurationError, match=r"model\.onnx: may not be read"):
        user_file("model.onnx", "an ONNX model")
