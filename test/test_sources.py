"""Order, orientation and depth of the pictures that the demo plays, and their cameras."""

from __future__ import annotations

import os

import cv2
import numpy as np
import pytest

from hamer_ros.camera.model import CameraError, CameraModel
from hamer_ros.demo.intrinsics import parse_camera
from hamer_ros.demo.orientation import orientation_of
from hamer_ros.demo.sources import SourceError, open_source, read_image

PICTURE = np.random.default_rng(0).integers(0, 255, (6, 8, 3)).astype(np.uint8).repeat(8, 0)
PICTURE = cv2.GaussianBlur(PICTURE.repeat(8, 1), (0, 0), 2)

# What OpenCV's own functions make of a stored picture, by Exif's orientation.
UPRIGHT = {
    1: lambda p: p,
    2: lambda p: cv2.flip(p, 1),
    3: lambda p: cv2.rotate(p, cv2.ROTATE_180),
    4: lambda p: cv2.flip(p, 0),
    5: cv2.transpose,
    6: lambda p: cv2.rotate(p, cv2.ROTATE_90_CLOCKWISE),
    7: lambda p: cv2.rotate(cv2.flip(p, 1), cv2.ROTATE_90_CLOCKWISE),
    8: lambda p: cv2.rotate(p, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


def photograph(orientation: int, picture: np.ndarray = PICTURE) -> bytes:
    """A JPEG with an Exif segment that holds nothing but an orientation."""
    data = bytes(cv2.imencode(".jpg", picture)[1])
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01" + bytes([0, orientation, 0, 0])
    tiff = b"MM\x00*\x00\x00\x00\x08\x00\x01" + entry + b"\x00\x00\x00\x00"
    segment = b"Exif\x00\x00" + tiff
    return data[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + data[2:]


def test_frames_are_played_as_people_count(tmp_path):
    for i in range(1, 13):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.full((48, 64, 3), i * 20, np.uint8))
    (tmp_path / "._1.png").write_bytes(b"some system's notes")
    got = [frame[0, 0, 0] / 20 for frame in open_source(str(tmp_path)).frames()]
    assert got == list(range(1, 13))


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_it_is_known_how_a_picture_was_turned(orientation, tmp_path):
    assert orientation_of(PICTURE, UPRIGHT[orientation](PICTURE)) == orientation
    path = tmp_path / "photo.jpg"
    path.write_bytes(photograph(orientation))
    source = open_source(str(path))
    assert source.orientations == {orientation}
    stored = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    upright = cv2.cvtColor(UPRIGHT[orientation](stored), cv2.COLOR_BGR2RGB)
    np.testing.assert_array_equal(next(source.frames()), upright)


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_the_sensors_intrinsics_turn_with_the_picture(orientation):
    """A dot of the sensor's picture is where the turned camera projects the turned world."""
    camera = CameraModel(640, 480, 600, 610, 250, 245)
    stored = np.zeros((480, 640), np.uint8)
    point = np.array([0.1, -0.05, 0.6])
    u, v = camera.project(point).round().astype(int)
    stored[v, u] = 255
    upright = UPRIGHT[orientation](stored)
    # The world turns as the picture's axes do: that of a picture of three points.
    axes = np.zeros((3, 3), np.uint8)
    axes[1, 2] = 1  # x, right of the middle
    axes[2, 1] = 2  # y, below
    turned = UPRIGHT[orientation](axes)
    x_axis, y_axis = (np.argwhere(turned == n)[0][::-1] - 1 for n in (1, 2))
    seen = [*(point[0] * x_axis + point[1] * y_axis), point[2]]
    given = parse_camera("600,610,250,245", frozenset({orientation}))
    own = given(upright.shape[1], upright.shape[0])
    dot = np.argwhere(upright)[0][::-1]
    np.testing.assert_allclose(own.project(np.array(seen)), dot, atol=0.51)


def test_intrinsics_of_the_upright_picture_are_left_alone(tmp_path):
    sideways = frozenset({6})
    given = parse_camera("600,610,235,322", sideways)(480, 640)
    assert (given.fx, given.cx, given.cy) == (600, 235, 322)
    calibration = tmp_path / "c.yaml"
    text = (
        "image_width: 480\nimage_height: 640\ncamera_matrix: [600, 0, 235, 0, 610, 322, 0, 0, 1]\n"
    )
    calibration.write_text(text)
    given = parse_camera(str(calibration), sideways)(480, 640)
    assert (given.fx, given.cx, given.cy) == (600, 235, 322)
    # Of the sensor, on the other hand:
    calibration.write_text(text.replace("height: 640", "height: 480").replace("480", "640", 1))
    given = parse_camera(str(calibration), sideways)(480, 640)
    assert (given.fx, given.fy, given.cx, given.cy) == (610, 600, 480 - 1 - 322, 235)


def test_a_turned_photograph_is_known_by_its_size_where_nothing_else_is_told():
    given = parse_camera("600,600,320,240")
    assert (given(640, 480).cx, given(480, 640).cx) == (320, 239)


def test_pictures_that_were_turned_both_ways_have_no_common_camera():
    given = parse_camera("600,600,320,240", frozenset({6, 8}))
    with pytest.raises(CameraError, match="Exif orientations 6 and 8"):
        given(480, 640)
    # Unless the intrinsics are of the upright picture.
    assert parse_camera("600,600,240,320", frozenset({6, 8}))(480, 640).cx == 240


def test_a_calibration_of_another_size_is_refused(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(
        "image_width: 640\nimage_height: 480\ncamera_matrix: [600, 0, 320, 0, 600, 240, 0, 0, 1]\n"
    )
    for size in ((480, 640), (320, 240)):
        with pytest.raises(CameraError, match=f"640x480, this one is {size[0]}x{size[1]}"):
            parse_camera(str(path), frozenset({1}))(*size)


def test_a_calibration_that_does_not_exist_is_told():
    with pytest.raises(CameraError, match=r"nofile.yaml does not exist"):
        parse_camera("nofile.yaml")


def test_pictures_of_other_depths_are_read(tmp_path):
    ramp = np.linspace(0, 4095, 64).astype(np.uint16)  # 12 bits of 16
    cv2.imwrite(str(tmp_path / "grey16.png"), np.tile(ramp, (48, 1)))
    read = read_image(tmp_path / "grey16.png")
    assert (read.dtype, read.shape) == (np.uint8, (48, 64, 3))
    assert read[0, 0, 0] < 20
    assert read[0, -1, 0] > 220
    assert (np.diff(read[0, :, 0].astype(int)) >= 0).all()

    cv2.imwrite(str(tmp_path / "grey.png"), PICTURE[..., 0])
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png")[..., 2], PICTURE[..., 0])

    rgba = np.dstack([PICTURE, np.full(PICTURE.shape[:2], 40, np.uint8)])
    cv2.imwrite(str(tmp_path / "rgba.png"), rgba)
    np.testing.assert_array_equal(read_image(tmp_path / "rgba.png"), PICTURE[..., ::-1])

    heat = np.linspace(20, 40, 64, dtype=np.float32)
    heat[5] = np.nan
    cv2.imwrite(str(tmp_path / "heat.tiff"), np.tile(heat, (48, 1)))
    assert np.ptp(read_image(tmp_path / "heat.tiff")) > 180


def test_what_cannot_be_read_is_told_in_one_line(tmp_path, monkeypatch):
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(SourceError, match=r"empty.jpg cannot be read as an image"):
        open_source(str(tmp_path / "empty.jpg"))

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    cv2.imwrite(str(tmp_path / "secret.png"), PICTURE)
    monkeypatch.setattr(np, "fromfile", refuse)
    with pytest.raises(SourceError, match=r"secret.png cannot be read: Permission denied"):
        open_source(str(tmp_path / "secret.png"))


def test_a_camera_may_be_named_by_its_device(monkeypatch):
    with pytest.raises(SourceError, match=r"no camera 987 \(/dev/video987 does not exist; "):
        open_source("/dev/video987")
    with pytest.raises(SourceError, match="/dev/null is no video device"):
        open_source("/dev/null")

    monkeypatch.setattr("pathlib.Path.exists", lambda _: True)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(SourceError, match=r"/dev/video0 may not be opened.*usermod -aG video"):
        open_source("/dev/video0")
    monkeypatch.setattr(os, "access", lambda *_: True)
    source = open_source("/dev/video0")
    assert (source.name, source.live) == ("camera 0", True)
