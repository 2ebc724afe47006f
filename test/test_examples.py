"""Every example runs: on what it renders, on files that it is given, and against a node."""

from __future__ import annotations

import ast
import os
import pickle
import re
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers import MODEL

import hamer_ros
from hamer_ros.geometry.alignment import pa_mpjpe
from hamer_ros.geometry.boxes import iou
from hamer_ros.hands import Handedness, TrackState
from hamer_ros.placement.size import log_length
from hamer_ros.rendering.clip import INTRINSICS, clip_frame

pytestmark = pytest.mark.usefixtures("models")

EXAMPLES = Path(__file__).parents[1] / "examples"
TRUTH = clip_frame(MODEL, 0)
LEFT, RIGHT = Handedness.LEFT, Handedness.RIGHT

TF2_ROS = '''
"""What 04_subscriber.py needs of tf2_ros, which has no wheel: a tree of one branch."""
import threading
from contextlib import suppress
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.time import Time
from tf2_msgs.msg import TFMessage

class TransformException(Exception):
    pass

class Buffer:
    def __init__(self):
        self.heard, self.news = [], threading.Condition()

    def lookup_transform(self, target, source, time, timeout):
        def found():
            return [t for t in self.heard if t.header.frame_id == target
                    and t.child_frame_id == source and Time.from_msg(t.header.stamp) == time]
        with self.news:
            if not self.news.wait_for(found, timeout.nanoseconds / 1e9):
                raise TransformException(f"no transform from {source} to {target}")
            return found()[0]

class TransformListener:
    def __init__(self, buffer, node, *, spin_thread):
        assert spin_thread
        def hear(message):
            with buffer.news:
                buffer.heard.extend(message.transforms)
                buffer.news.notify_all()
        node.create_subscription(TFMessage, "/tf", hear, 100)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(node)
        def spin():
            with suppress(ExternalShutdownException):
                self.executor.spin()
        threading.Thread(target=spin).start()
'''


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Runs an example in an empty folder; what its last line would find defined."""

    def run(name: str, *arguments: object) -> dict:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        return runpy.run_path(str(EXAMPLES / name))

    return run


def assert_drawn(path: Path, rgb: np.ndarray, n_wide: int = 1) -> None:
    """That a picture is as large as an image, or as some side by side, and is not just that."""
    drawn = cv2.imread(str(path))[..., ::-1]
    height, width = rgb.shape[:2]
    assert drawn.shape == (height, n_wide * width, 3)
    changed = np.abs(drawn[:, :width].astype(int) - rgb).max(axis=2) > 60
    assert 0.005 < changed.mean() < 0.5


def write_image(path: Path, rgb: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), rgb[..., ::-1])
    return path


# All


def files() -> list[Path]:
    return sorted(EXAMPLES.glob("*.py"))


def test_there_is_an_example_of_each_kind():
    assert [file.name[:2] for file in files()] == ["01", "02", "03", "04", "05"]


@pytest.mark.parametrize("file", files(), ids=lambda file: file.stem)
def test_an_example_has_cells_and_tells_in_a_line_how_to_run_it(file):
    text = file.read_text()
    title = ast.get_docstring(ast.parse(text))
    assert re.fullmatch(rf"[^\n]+: python {re.escape(file.name)}( \[.+\])?\.", title)
    assert len(re.findall(r"^# %%", text, re.M)) >= 4


@pytest.mark.parametrize("file", files(), ids=lambda file: file.stem)
def test_an_example_imports_public_names_alone(file):
    allowed = {"hamer_ros": set(hamer_ros.__all__), "hamer_ros.rendering.clip": {"clip_frame"}}
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("hamer_ros"):
            if node.module not in ("hamer_ros.msg", "hamer_ros.srv"):
                assert {alias.name for alias in node.names} <= allowed[node.module]
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith("hamer_ros") for alias in node.names)


# 01_photo.py


def test_the_photo_example_finds_the_hands_that_were_rendered(run, tmp_path, capsys):
    hands = {h.placed.hand.handedness: h.placed for h in run("01_photo.py")["result"].hands}
    for truth in TRUTH.hands:
        assert pa_mpjpe(hands[truth.handedness].joints, truth.joints) < 0.015
    assert len(hands) == 2
    assert_drawn(tmp_path / "out/photo.jpg", TRUTH.rgb)
    told = capsys.readouterr().out
    assert told.startswith("right wrist at") or told.startswith("left wrist at")
    assert told.endswith("the picture is out/photo.jpg\n")


def test_the_photo_example_takes_a_photo_and_its_calibration(run, tmp_path):
    photo = write_image(tmp_path / "photo.png", TRUTH.rgb)
    calibration = tmp_path / "camera.yaml"
    calibration.write_text(
        "image_width: 1280\nimage_height: 960\ndistortion_model: plumb_bob\n"
        "camera_matrix: {data: [1200, 0, 640.5, 0, 1200, 480.5, 0, 0, 1]}\n"
        "distortion_coefficients: {data: [0, 0, 0, 0, 0]}\n"
    )
    result = run("01_photo.py", photo, calibration)
    assert result["camera"].fx == 600
    hands = {h.placed.hand.handedness: h.placed for h in result["result"].hands}
    for truth in TRUTH.hands:
        wrist = hands[truth.handedness].translation
        # Its direction is known to the pixel; the distance is uncertain, as the hand's size is.
        way = truth.joints[0] / np.linalg.norm(truth.joints[0])
        assert np.degrees(np.arccos(wrist @ way / np.linalg.norm(wrist))) < 1.0
        assert abs(np.linalg.norm(wrist) / np.linalg.norm(truth.joints[0]) - 1) < 0.2


@pytest.mark.parametrize("name", ["01_photo.py", "03_own_detector.py"])
def test_a_photo_that_is_none_is_named(run, tmp_path, name):
    (tmp_path / "photo.jpg").write_text("no photo")
    with pytest.raises(SystemExit, match=r"photo\.jpg cannot be read as an image"):
        run(name, tmp_path / "photo.jpg")


def test_an_example_in_a_notebook_does_not_read_the_arguments_of_the_kernel(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipykernel", None)
    assert run("01_photo.py", "--f=/run/kernel.json")["rgb"].shape == TRUTH.rgb.shape


# 02_video.py


def test_the_video_example_follows_both_hands_throughout(run, tmp_path, capsys):
    result = run("02_video.py")
    tracks = {(h.track_id, h.placed.hand.handedness) for h in result["result"].hands}
    assert {track_id for track_id, _ in tracks} == {1, 2}
    assert {handedness for _, handedness in tracks} == {LEFT, RIGHT}
    assert all(hand.state is TrackState.TRACKED for hand in result["result"].hands)
    assert_drawn(tmp_path / "out/video.jpg", TRUTH.rgb, n_wide=4)
    assert capsys.readouterr().out.count(" is NEW") == 2


def test_the_video_example_plays_a_file_and_tells_of_a_hand_that_leaves(run, tmp_path, capsys):
    path = tmp_path / "video.avi"
    size = TRUTH.rgb.shape[1::-1]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, size)
    assert writer.isOpened()
    empty = np.full_like(TRUTH.rgb, 128)
    for rgb in [TRUTH.rgb] * 6 + [empty] * 12:
        writer.write(rgb[..., ::-1])
    writer.release()
    result = run("02_video.py", path)
    assert result["stamp"] == pytest.approx(1.7)
    told = capsys.readouterr().out
    assert told.count(" is NEW") == 2
    assert told.count(" is LOST") == 2


def test_a_video_that_is_none_is_named(run, tmp_path):
    (tmp_path / "video.mp4").write_text("no video")
    with pytest.raises(SystemExit, match=r"video\.mp4 cannot be read as a video"):
        run("02_video.py", tmp_path / "video.mp4")


# 03_own_detector.py


def test_the_own_detector_finds_the_hands_that_were_rendered(run, tmp_path):
    result = run("03_own_detector.py")
    detections = result["SkinDetector"]().detect(result["frame"])
    assert len(detections) == 2
    for truth in TRUTH.hands:
        (box,) = (d.bounding_box for d in detections if d.handedness is truth.handedness)
        surface = truth.vertices / truth.vertices[:, 2:] @ INTRINSICS[:2].T
        wanted = np.concatenate([surface.min(0), surface.max(0)])
        assert iou(box[None], wanted[None])[0, 0] > 0.5
    assert_drawn(tmp_path / "out/own_detector.jpg", TRUTH.rgb)


def test_the_own_detector_feeds_hamer(run, tmp_path, monkeypatch):
    torch = pytest.importorskip("torch", reason="torch is optional")
    from hamer_small import SMALL, small_network  # noqa: PLC0415 - it needs torch

    from bench.golden import mano_fields  # noqa: PLC0415
    from hamer_ros.hamer import torch_backend  # noqa: PLC0415

    checkpoint = tmp_path / "_DATA" / "hamer_ckpts" / "checkpoints" / "hamer.ckpt"
    mano = tmp_path / "_DATA" / "data" / "mano" / "MANO_RIGHT.pkl"
    for file in (checkpoint, mano):
        file.parent.mkdir(parents=True)
    torch.save({"state_dict": small_network().state_dict()}, checkpoint)
    mano.write_bytes(pickle.dumps(mano_fields(), protocol=2))
    load = torch_backend.load_network
    monkeypatch.setattr(torch_backend, "load_network", lambda path: load(path, SMALL))
    photo = write_image(tmp_path / "photo.png", TRUTH.rgb)
    result = run("03_own_detector.py", photo, tmp_path / "_DATA")
    assert result["estimator"].name == "hamer"
    found = result["result"]
    assert len(found.hands) + len(found.unplaced) == 2  # the network has seen no hand before


# With a node


@pytest.fixture
def start(harness, tmp_path):
    """Starts an example as a process in the domain of the node; what it prints is in `told`."""
    processes = []
    try:
        import tf2_ros  # noqa: F401, PLC0415
    except ImportError:
        (tmp_path / "tf2_ros.py").write_text(TF2_ROS)

    def start(name: str, *arguments: str) -> tuple[subprocess.Popen, Callable[[], str]]:
        variables = {
            **os.environ,
            "ROS_DOMAIN_ID": str(harness.node.context.get_domain_id()),
            "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}",
        }
        printed = tmp_path / "printed"
        with printed.open("w") as file:
            process = subprocess.Popen(
                [sys.executable, str(EXAMPLES / name), *arguments],
                stdout=file,
                stderr=subprocess.STDOUT,
                env=variables,
            )
        processes.append(process)
        return process, printed.read_text

    yield start
    for process in processes:
        process.kill()
        process.wait()


def test_the_subscriber_hears_the_hands_and_their_transforms(harness, start):
    harness.node.start()
    process, told = start("04_subscriber.py")

    def wrists() -> list[tuple[float, ...]]:
        found = re.findall(r"^right wrist in camera_optical_frame: (.+) (.+) (.+)$", told(), re.M)
        return [tuple(map(float, numbers)) for numbers in found]

    assert harness.show(TRUTH.rgb, harness.info(), lambda: len(wrists()) > 2), told()
    seen = wrists()  # before what was sent, which goes on
    sent = [
        np.array([t.translation.x, t.translation.y, t.translation.z])
        for message in harness.heard["/tf"]
        for t in (c.transform for c in message.transforms if c.child_frame_id == "hand_right")
    ]
    for wrist in seen:
        assert min(np.abs(wrist - there).max() for there in sent) < 0.00051
    assert len(set(re.findall(r"^#(\d+) in camera_optical_frame: ", told(), re.M))) == 2
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 0
    assert "Traceback" not in told()


def test_the_subscriber_says_what_frame_is_missing(harness, start):
    harness.node.start()
    _, told = start("04_subscriber.py", "base_link")
    assert harness.show(TRUTH.rgb, harness.info(), lambda: "base_link" in told()), told()
    assert "right wrist in" not in told()


def test_the_calibration_example_measures_a_hand_at_a_known_distance(
    harness, start, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    harness.node.start()
    shown = clip_frame(MODEL, 0, 150, (RIGHT,))
    (truth,) = shown.hands
    process, told = start("05_calibrate_hand.py", f"{np.linalg.norm(truth.joints[0]):.3f}")
    for _ in range(3):
        if harness.show(shown.rgb, harness.info(), lambda: process.poll() is not None):
            break
    assert process.returncode == 0, told()
    length, sigma = re.search(r"^(\d+) mm give or take (\d+) mm$", told(), re.M).groups()
    assert abs(float(length) - 1e3 * np.exp(log_length(truth.joints))) < 3 * float(sigma)
    assert f"kept for 'default' in {tmp_path}/hamer_ros/hands.yaml" in told()


def test_the_calibration_example_passes_on_why_nothing_was_measured(harness, start):
    harness.node.start()
    process, told = start("05_calibrate_hand.py")
    assert harness.show(TRUTH.rgb, harness.info(), lambda: process.poll() is not None)
    assert process.returncode == 1
    assert "use_depth is false; give the distance" in told()
