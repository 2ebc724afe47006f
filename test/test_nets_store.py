"""Fetching the nets: what is stored, and what a user reads when it goes wrong."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile

import numpy as np
import onnxruntime
import pytest

from hamer_ros.nets import store
from hamer_ros.nets.session import Net, ProviderError


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HAMER_ROS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "nets" / store.MEDIAPIPE_VERSION


class FakeIndex:
    """Stands in for pip and for the converter: serves a small wheel, counts what is asked of it."""

    def __init__(self, monkeypatch):
        self.commands = []
        self.content = {name: f"net {name}".encode() for name in store.NETS}
        self.reachable = True
        self.patch = monkeypatch
        monkeypatch.setattr(store.subprocess, "run", self.run)
        monkeypatch.setattr(store, "_import_converter", lambda: lambda model, name: model.upper())
        self.expect(self.content)

    def expect(self, content):
        """Let the store expect the wheel with this content."""
        hashes = {n: hashlib.sha256(data).hexdigest() for n, data in content.items()}
        nets = {name: (member, hashes[name]) for name, (member, _) in store.NETS.items()}
        self.patch.setattr(store, "NETS", nets)

    def run(self, command, **_):
        self.commands.append(command)
        if not self.reachable:
            return subprocess.CompletedProcess(command, 1, "", "ERROR: No matching distribution")
        wheel = store.Path(command[command.index("--dest") + 1]) / "mediapipe-0.10.21-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for name, (member, _) in store.NETS.items():
                # A fixed date, so that the same content is the same file.
                archive.writestr(zipfile.ZipInfo(member), self.content[name])
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        self.patch.setattr(store, "WHEEL_SHA256", getattr(self, "digest", digest))
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def index(monkeypatch):
    return FakeIndex(monkeypatch)


def test_fetching_stores_converted_nets_and_their_license(cache, index):
    lines = []
    assert store.fetch_nets(lines.append) == cache
    for name in store.NETS:
        assert store.net_path(name).read_bytes() == index.content[name].upper()
        assert any(name in line for line in lines)
    assert "Apache License" in (cache / "LICENSE").read_text()
    assert sorted(p.name for p in cache.iterdir()) == sorted(
        ["LICENSE", *(f"{name}.onnx" for name in store.NETS)]
    )
    (command,) = index.commands
    assert command[:3] == [sys.executable, "-m", "pip"]
    assert f"mediapipe=={store.MEDIAPIPE_VERSION}" in command


def test_fetching_again_does_nothing_and_says_so(cache, index):
    store.fetch_nets(lambda line: None)
    lines = []
    assert store.fetch_nets(lines.append) == cache
    assert len(index.commands) == 1
    assert len(lines) == 1
    assert "already" in lines[0]


def test_a_single_lost_net_is_fetched_again(cache, index):
    store.fetch_nets(lambda line: None)
    lost, kept = list(store.NETS)[:2]
    store.net_path(lost).unlink()
    store.net_path(kept).write_bytes(b"untouched")
    store.fetch_nets(lambda line: None)
    assert store.net_path(lost).is_file()
    assert store.net_path(kept).read_bytes() == b"untouched"


def test_a_missing_net_says_where_it_was_looked_for_and_how_to_get_it(cache):
    with pytest.raises(store.NetsMissingError) as error:
        store.net_path("palm_detection_lite")
    assert str(cache / "palm_detection_lite.onnx") in str(error.value)
    assert "hamer_ros fetch-models" in str(error.value)


def test_without_a_network_the_error_says_what_to_copy_where(cache, index):
    index.reachable = False
    with pytest.raises(store.FetchError) as error:
        store.fetch_nets(lambda line: None)
    for part in ("could not reach", "hamer_ros fetch-models", str(cache), "No matching"):
        assert part in str(error.value)


def test_another_wheel_is_refused_and_nothing_is_stored(cache, index):
    index.digest = "0" * 64
    with pytest.raises(store.FetchError, match=r"mediapipe.*sha256"):
        store.fetch_nets(lambda line: None)
    assert list(cache.glob("*.onnx")) == []


def test_another_net_in_the_wheel_is_refused(cache, index):
    changed = next(iter(store.NETS))
    index.content = {**index.content, changed: b"something else"}
    with pytest.raises(store.FetchError, match=rf"{changed}\.tflite.*sha256"):
        store.fetch_nets(lambda line: None)
    assert not (cache / f"{changed}.onnx").exists()


def test_a_failed_conversion_leaves_no_net_behind(cache, index, monkeypatch):
    def convert(model, name):
        raise ValueError("broken")

    monkeypatch.setattr(store, "_import_converter", lambda: convert)
    with pytest.raises(ValueError, match="broken"):
        store.fetch_nets(lambda line: None)
    assert list(cache.iterdir()) == []


def test_missing_conversion_packages_are_named_before_anything_is_downloaded(cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "tflite", None)
    monkeypatch.delitem(sys.modules, "hamer_ros.nets.tflite_to_onnx", raising=False)
    monkeypatch.setattr(store, "_download_wheel", lambda folder: pytest.fail("downloaded"))
    with pytest.raises(store.FetchError, match="pip install tflite onnx"):
        store.fetch_nets(lambda line: None)


def test_the_cache_follows_the_users_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("HAMER_ROS_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert store.cache_folder() == tmp_path / "hamer_ros"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert store.cache_folder() == tmp_path / "home" / ".cache" / "hamer_ros"


def test_an_unavailable_provider_is_named_with_its_package(monkeypatch, tmp_path):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ProviderError) as error:
        Net(tmp_path / "no.onnx", ("CUDAExecutionProvider", "CPUExecutionProvider"))
    for part in ("CUDAExecutionProvider", "CPUExecutionProvider", "onnxruntime-gpu"):
        assert part in str(error.value)


def test_the_real_nets_answer_in_the_shapes_that_are_decoded(nets):
    for name in ("palm_detection_lite", "palm_detection_full"):
        boxes, logits = Net(store.net_path(name))(np.zeros((1, 192, 192, 3), np.float32))
        assert (boxes.shape, logits.shape) == ((1, 2016, 18), (1, 2016, 1))
    landmark = Net(store.net_path("hand_landmark_full"))
    outputs = landmark(np.zeros((1, 224, 224, 3), np.float32))
    assert [o.size for o in outputs] == [63, 1, 1, 63]
    assert 0 <= outputs[1].item() < 0.5, "an empty image shows no hand"
