"""The frame of the hands follows from the image and its CameraInfo."""

from __future__ import annotations

import pytest

from hamer_ros.ros.input.frame_ids import agreed_frame_id


@pytest.mark.parametrize("info", ["camera", "/camera", "", None])
def test_an_image_that_names_its_frame_is_placed_in_it(info):
    assert agreed_frame_id("camera", info) == ("camera", ())


@pytest.mark.parametrize(
    ("image", "info", "name", "subject"),
    [
        ("/camera", "/camera", "camera", "frame_id with a slash"),
        ("", "camera", "camera", "frame_id missing"),
        ("", "/camera", "camera", "frame_id missing"),
        ("camera_link", "camera_optical", "camera_link", "frame_id differs"),
    ],
)
def test_what_is_odd_is_put_right_and_said(image, info, name, subject):
    frame, remarks = agreed_frame_id(image, info)
    assert frame == name
    assert [s for s, _ in remarks] == [subject]
    assert name in remarks[0][1]


@pytest.mark.parametrize("info", ["", "/", None])
def test_where_neither_names_a_frame_there_is_none(info):
    assert agreed_frame_id("", info)[0] == ""
