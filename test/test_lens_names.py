"""What lens models are called, and how many numbers they come with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hamer_ros.camera.lens_names import ALIASES, UNSUPPORTED, is_known, lens_of
from hamer_ros.camera.model import COEFFICIENTS, CameraError, CameraModel

FOUR = (0.05, -0.1, 0.001, -0.0005)
FIVE = (*FOUR, 0.02)
EIGHT = (*FIVE, 0.3, -0.2, 0.01)


@pytest.mark.parametrize(
    ("name", "lens"),
    [
        ("plumb_bob", "plumb_bob"),
        ("Plumb Bob", "plumb_bob"),
        ("PLUMB-BOB", "plumb_bob"),
        ("radtan", "plumb_bob"),
        ("radial-tangential", "plumb_bob"),
        ("brown_conrady", "plumb_bob"),
        ("distortion.brown_conrady", "plumb_bob"),
        ("fisheye", "equidistant"),
        ("Kannala Brandt", "equidistant"),
        ("kannala_brandt4", "equidistant"),
        ("KannalaBrandt8", "equidistant"),
        ("equidistant ", "equidistant"),
    ],
)
def test_the_same_numbers_have_many_names(name, lens):
    assert lens_of(name, FOUR) == (lens, FOUR)


@pytest.mark.parametrize(
    "name", ["", "none", "None", "pinhole", "plumb_bob", "rational_polynomial"]
)
def test_zeros_are_no_distortion(name):
    assert lens_of(name, [0.0] * 5) == ("none", ())


def test_a_fisheye_bends_without_coefficients():
    assert lens_of("fisheye", [0.0] * 4) == ("equidistant", ())
    assert lens_of("equidistant", []) == ("equidistant", ())


@pytest.mark.parametrize(
    ("name", "given", "taken"),
    [
        ("equidistant", (*FOUR, 0.0), FOUR),
        ("plumb_bob", (*FOUR, 0.0), (*FOUR, 0.0)),
        ("plumb_bob", (*FIVE, 0.0, 0.0, 0.0), FIVE),
        ("plumb_bob", (*FOUR, *[0.0] * 8), FOUR),
        ("rational_polynomial", FIVE, (*FIVE, 0.0, 0.0, 0.0)),
        ("rational_polynomial", (*EIGHT, *[0.0] * 6), (*EIGHT, *[0.0] * 6)),
        ("rational_polynomial", (*EIGHT, 0.0), EIGHT),
        ("rational_polynomial", (*EIGHT, 0.1, *[0.0] * 4), (*EIGHT, 0.1, 0.0, 0.0, 0.0)),
        ("rational_polynomial", (*FOUR, 0.0, 0.0), (*FOUR, *[0.0] * 4)),
    ],
)
def test_zeros_at_the_end_do_not_count(name, given, taken):
    lens, distortion = lens_of(name, given)
    assert distortion == taken
    assert len(distortion) in COEFFICIENTS[lens]


@pytest.mark.parametrize(
    ("name", "given", "complaint"),
    [
        ("equidistant", FIVE, r"equidistant has 5 .* needs 4"),
        ("plumb_bob", EIGHT, r"8 distortion coefficients.*needs 4 or 5; so many has rational"),
        *(
            (
                "rational_polynomial",
                (0.01,) * count,
                rf"has {count} distortion coefficients.*needs 4 or 5 or 8 or 12 or 14$",
            )
            for count in (1, 2, 3, 6, 7, 9, 10, 11, 13, 15)
        ),
        ("rational_polynomial", (*EIGHT, 0.1, 0.0, 0.0), "has 11 .*, 9 without the zeros at the e"),
        ("plumb_bob", (0.1,), "has 1 distortion coefficients"),
        ("", FIVE, r"'', but there are coefficients that are not zero: \[0.05, -0.1"),
        ("pinhole", FOUR, "name the model that they belong to"),
        ("magic", FOUR, "'magic'; known are: none, plumb_bob"),
        ("inverse_brown_conrady", FIVE, "the way back, from the image to the ideal plane"),
        ("Modified Brown Conrady", FIVE, "tangential terms act on what is already distorted"),
        *((name, FOUR, "not supported; publish rectified images") for name in UNSUPPORTED),
        ("omni", (), "not supported"),
    ],
)
def test_other_numbers_are_refused_in_words(name, given, complaint):
    with pytest.raises(CameraError, match=complaint):
        lens_of(name, given)


@pytest.mark.parametrize("name", ["inverse_brown_conrady", "distortion.modified_brown_conrady"])
def test_what_is_like_no_distortion_where_it_is_zero_is_taken_there(name):
    assert lens_of(name, [0.0] * 5) == ("none", ())


def test_the_modified_model_without_tangential_terms_is_the_ordinary_one():
    radial = (0.05, -0.1, 0.0, 0.0, 0.02)
    assert lens_of("modified_brown_conrady", radial) == ("plumb_bob", radial)


def test_every_name_is_in_the_documentation():
    text = (Path(__file__).parents[1] / "docs" / "cameras.md").read_text()
    rows = dict(re.findall(r"^\| (\w+) \|.*\| (.*) \|$", text, re.MULTILINE))
    for lens, names in ALIASES.items():
        listed = re.split(r"[,;] ?", rows[lens])
        assert set(names) - {""} <= set(listed), lens


def test_every_name_leads_to_a_lens_that_a_camera_can_have():
    for lens, names in ALIASES.items():
        for name in names:
            assert is_known(name)
            taken, distortion = lens_of(name, [] if lens == "none" else FOUR)
            camera = CameraModel(640, 480, 600, 600, 320, 240, taken, distortion)
            assert camera.lens == lens
    assert not is_known("magic")
