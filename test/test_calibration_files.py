"""Files of intrinsics that people have, and files that they give by mistake."""

from __future__ import annotations

import io
import json
import zipfile

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hamer_ros.camera.calibration_files import LARGEST, read_calibration
from hamer_ros.camera.model import CameraError, CameraModel

K = np.array([[600.0, 0, 315], [0, 610, 247], [0, 0, 1]])
D = (-0.28, 0.09, 0.001, -0.0005, -0.01)
BENT = CameraModel(640, 480, 600.0, 610.0, 315.0, 247.0, "plumb_bob", D)
FISHEYE = CameraModel(640, 480, 600.0, 610.0, 315.0, 247.0, "equidistant", D[:4])

ROS = """\
image_width: 640
image_height: 480
camera_name: c
camera_matrix:
  rows: 3
  cols: 3
  data: [600, 0, 315, 0, 610, 247, 0, 0, 1]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [-0.28, 0.09, 0.001, -0.0005, -0.01]
"""
ECHO = """\
header:
  stamp: {sec: 1, nanosec: 0}
  frame_id: cam
height: 480
width: 640
distortion_model: plumb_bob
d:
- -0.28
- 0.09
- 0.001
- -0.0005
- -0.01
k: [600.0, 0.0, 315.0, 0.0, 610.0, 247.0, 0.0, 0.0, 1.0]
r: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
p: [600.0, 0.0, 315.0, 0.0, 0.0, 610.0, 247.0, 0.0, 0.0, 0.0, 1.0, 0.0]
binning_x: 0
binning_y: 0
roi: {x_offset: 0, y_offset: 0, height: 0, width: 0, do_rectify: false}
---
"""
ECHO_OF_ROS_1 = ECHO.replace("\nd:", "\nD:").replace("\nk:", "\nK:").replace("\np:", "\nP:")
KALIBR = """\
cam0:
  cam_overlaps: []
  camera_model: pinhole
  distortion_coeffs: [-0.28, 0.09, 0.001, -0.0005]
  distortion_model: equidistant
  intrinsics: [600.0, 610.0, 315.0, 247.0]
  resolution: [640, 480]
  rostopic: /cam0/image_raw
"""
JSON = json.dumps({"camera_matrix": K.tolist(), "dist_coeff": [list(D)]})
REALSENSE = json.dumps(
    {
        "width": 640,
        "height": 480,
        "fx": 600.0,
        "fy": 610.0,
        "ppx": 315.0,
        "ppy": 247.0,
        "model": "distortion.brown_conrady",
        "coeffs": D,
    }
)


@pytest.fixture
def write(tmp_path):
    def write(content: str | bytes, name: str = "calibration.yaml"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize(
    ("text", "camera"),
    [
        (ROS, BENT),
        (ROS.replace("\n", "\r\n"), BENT),
        ("\ufeff" + ROS, BENT),
        (ROS.replace("distortion_model", "camera_model"), BENT),
        (ROS.replace("plumb_bob", "fisheye").replace(", -0.01]", ", 0.0]"), FISHEYE),
        (ECHO, BENT),
        (ECHO + ECHO.replace("600.0", "700.0"), BENT),
        (ECHO_OF_ROS_1, BENT),
        (KALIBR, FISHEYE),
        (REALSENSE, BENT),
        (REALSENSE.replace("640", "640.0"), BENT),
    ],
)
def test_a_calibration_is_read(write, text, camera):
    calibration = read_calibration(write(text))
    assert calibration.camera == camera
    assert calibration.is_sized


@pytest.mark.parametrize("suffix", ["yml", "xml", "json"])
def test_what_opencv_writes_is_read(tmp_path, suffix):
    path = tmp_path / f"opencv.{suffix}"
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    storage.write("image_width", 640)
    storage.write("image_height", 480)
    storage.write("camera_matrix", K)
    storage.write("distortion_coefficients", np.array(D)[:, None])
    storage.release()
    assert read_calibration(path).camera == BENT


def test_what_else_opencv_writes_beside_is_no_obstacle(tmp_path):
    path = tmp_path / "opencv.xml"
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    storage.startWriteStruct("board", cv2.FILE_NODE_MAP)
    storage.write("w", 9)
    storage.write("h", 6)
    storage.endWriteStruct()
    storage.write("camera_matrix", K)
    storage.write("distortion_coefficients", np.array(D))
    storage.release()
    assert read_calibration(path).camera.distortion == D


def test_opencvs_sample_says_that_it_is_a_fisheye(write):
    text = ROS.replace("distortion_model: plumb_bob", "fisheye_model: 1").replace(", -0.01]", "]")
    assert read_calibration(write("%YAML:1.0\n---\n" + text)).camera == FISHEYE


def test_a_file_without_a_size_is_for_any(write):
    calibration = read_calibration(write(JSON, "c.json"))
    assert not calibration.is_sized
    assert (calibration.camera.fx, calibration.camera.distortion) == (600, D)


def test_skew_is_read(write):
    text = ROS.replace("[600, 0, 315", "[600, 12.5, 315")
    assert read_calibration(write(text)).camera.skew == 12.5


PNG = bytes(cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1])
JPEG = bytes(cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1])


def npz() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mtx.npy", "")
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("---\n", "holds nothing"),
        ("- 1\n- 2\n", "holds a list"),
        ("600 600 320 240\n", "holds plain text"),
        ("42\n", "holds the value 42"),
        ("image_width: [640\n", "is no YAML in line 2"),
        ("image_width:\t640\n\tfoo: 1\n", "is no YAML in line"),
        ("a: !!python/object/apply:os.system [ls]\n", "is no YAML"),
        ("[" * 5000, "is no YAML"),
        ("<robot name='arm'/>", "XML, but not OpenCV's"),
        ("<?xml version='1.0'?><opencv_storage><camera_matrix>", "broken XML"),
        ("image_width: 640\n", r"camera_matrix \(or k\) is missing; there are: image_width"),
        (ROS.replace("640", "640px"), "width is '640px'"),
        (ROS.replace("640", "640.5"), "whole numbers of pixels"),
        (ROS.replace("640", "1" + 400 * "0"), "a number is too large"),
        (ROS.replace("640", ".nan"), "image size is"),
        (ROS.replace("[600, 0,", "[focal, 0,"), r"camera_matrix is .*needs a list of numbers"),
        (ROS.replace("[600, 0, 315,", "[600, 0,"), "camera_matrix has 8 numbers; needs 9"),
        (ROS.replace("[600,", "[0,"), "not calibrated"),
        (ROS.replace("[600,", "[.inf,"), "must be finite"),
        (ROS.replace("[600,", "[-600,"), "fx is -600"),
        (ROS.replace("plumb_bob", "omni"), "'omni', which is not supported"),
        (ROS.replace("distortion_model: plumb_bob\n", "").replace(", -0.01]", "]"), "add it"),
        (ECHO.replace("binning_x: 0", "binning_x: 2"), "is binned"),
        (ECHO.replace("{x_offset: 0", "{x_offset: 8"), "region of interest"),
        (KALIBR + KALIBR.replace("cam0:", "cam1:"), "2 cameras, cam0, cam1"),
        (KALIBR.replace("pinhole", "omni"), r"cam0.camera_model is 'omni'"),
        (KALIBR.replace("[640, 480]", "[640]"), r"cam0.resolution has 1 numbers; needs 2"),
        ("cam0: 3\n", "cam0 holds no names"),
        (PNG, "is a picture"),
        (JPEG, "is a picture"),
        (npz(), "is an .npz file"),
        (b"#ROSBAG V2.0\n", "is a recording"),
        ("<!doctype html><html>", "is a web page"),
        (b"\x80\x81\xfe\x00", "is binary"),
        ("image_width: 640 # caf\xe9".encode("latin-1"), "is binary"),
        (b"a: \0", "is binary"),
        (b"#" * (LARGEST + 1), "more than 1000000 bytes"),
    ],
)
def test_what_is_no_calibration_is_told_in_one_line(write, content, complaint):
    path = write(content)
    with pytest.raises(CameraError, match=complaint) as error:
        read_calibration(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 600


def test_a_file_that_is_not_there_or_no_file_is_told(tmp_path):
    with pytest.raises(CameraError, match=r"nofile.yaml does not exist"):
        read_calibration(tmp_path / "nofile.yaml")
    with pytest.raises(CameraError, match="is a folder"):
        read_calibration(tmp_path)
    with pytest.raises(CameraError, match=r"/dev/zero is no ordinary file"):
        read_calibration("/dev/zero")
    with pytest.raises(CameraError, match=r"cannot be read|does not exist"):
        read_calibration("a\0b.yaml")


def test_a_file_that_may_not_be_read_is_told(write, monkeypatch):
    path = write(ROS)

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", refuse)
    with pytest.raises(CameraError, match=r"calibration.yaml cannot be read: Permission denied"):
        read_calibration(path)


SCRAPS = [
    "",
    "null",
    "[]",
    "{}",
    "-1",
    "1e400",
    ".nan",
    "'x'",
    "2020-01-01",
    "&a [*a]",
    "\t",
    "---",
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([ROS, ECHO, KALIBR, JSON, REALSENSE]),
    st.floats(0, 1),
    st.integers(0, 12),
    st.sampled_from(SCRAPS),
)
def test_a_mutilated_calibration_is_read_or_told(write, text, where, length, scrap):
    begin = int(where * len(text))
    path = write(text[:begin] + scrap + text[begin + length :])
    try:
        calibration = read_calibration(path)
    except CameraError as error:
        assert "\n" not in str(error)
    else:
        assert np.isfinite(calibration.camera.matrix).all()
