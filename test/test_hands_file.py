"""What was learnt of people's hands is kept in a file, which people also write by hand."""

from __future__ import annotations

import os

import pytest

from hamer_ros.errors import ConfigurationError, FileFormatError
from hamer_ros.hands import Handedness
from hamer_ros.placement.hands_file import check_person, load_sizes, save_sizes
from hamer_ros.placement.size import STATED_SIGMA, stated_size


def test_what_was_learnt_is_kept_by_person_and_side(tmp_path):
    path = tmp_path / "folder" / "hands.yaml"
    assert load_sizes(path, "ann") == {}
    save_sizes(path, "ann", {Handedness.LEFT: stated_size(0.17, 0.01)})
    save_sizes(path, "bob", dict.fromkeys(Handedness, stated_size(0.20, 0.02)))
    save_sizes(path, "ann", {Handedness.RIGHT: stated_size(0.171, 0.005)})
    ann = load_sizes(path, "ann")
    assert ann[Handedness.LEFT].length == pytest.approx(0.17, abs=1e-4)
    assert ann[Handedness.RIGHT].sigma == pytest.approx(0.005)
    assert set(load_sizes(path, "bob")) == set(Handedness)
    assert load_sizes(path, "eve") == {}


def test_a_file_may_be_written_by_hand(tmp_path):
    path = tmp_path / "hands.yaml"
    path.write_text(
        "# ours\n1:\n  Left: {length: '0.17'}\nZoë: {right: {length: 0.2, sigma: 0.02}}\n",
        encoding="utf-8",
    )
    (one,) = load_sizes(path, "1").items()
    assert (one[0], one[1].sigma) == (Handedness.LEFT, STATED_SIGMA)
    assert one[1].length == pytest.approx(0.17)
    assert set(load_sizes(path, "Zoë")) == {Handedness.RIGHT}
    save_sizes(path, "1", {Handedness.RIGHT: stated_size(0.18)})
    assert set(load_sizes(path, "1")) == {Handedness.LEFT, Handedness.RIGHT}
    assert set(load_sizes(path, "Zoë")) == {Handedness.RIGHT}
    assert os.listdir(tmp_path) == ["hands.yaml"]


@pytest.mark.parametrize("name", ["007", "no", "1_000", "1.50", "2024-01-01", "~", "=", "0x1F"])
def test_a_person_keeps_a_name_that_yaml_takes_for_something_else(tmp_path, name):
    path = tmp_path / "hands.yaml"
    path.write_text(f"{name}: {{left: {{length: 0.17}}}}\n", encoding="utf-8")
    save_sizes(path, "bob", {Handedness.LEFT: stated_size(0.2)})
    assert load_sizes(path, name)[Handedness.LEFT].length == pytest.approx(0.17)
    save_sizes(path, name, {Handedness.RIGHT: stated_size(0.18)})
    save_sizes(path, "bob", {Handedness.LEFT: stated_size(0.19)})
    assert {handedness: round(s.length, 4) for handedness, s in load_sizes(path, name).items()} == {
        Handedness.LEFT: 0.17,
        Handedness.RIGHT: 0.18,
    }
    assert load_sizes(path, "bob")[Handedness.LEFT].length == pytest.approx(0.19)


@pytest.mark.parametrize("content", ["", "---\n", "null\n", "# nobody yet\n", "{}\n", "ann:\n"])
def test_a_file_that_holds_nobody_is_filled(tmp_path, content):
    path = tmp_path / "hands.yaml"
    path.write_text(content)
    assert load_sizes(path, "ann") == {}
    save_sizes(path, "ann", {Handedness.LEFT: stated_size(0.17)})
    assert set(load_sizes(path, "ann")) == {Handedness.LEFT}


def test_what_is_learnt_anew_replaces_what_was_written_in_capitals(tmp_path):
    path = tmp_path / "hands.yaml"
    path.write_text("ann: {LEFT: {length: 0.17}, Right: {length: 0.18}}")
    save_sizes(path, "ann", {Handedness.LEFT: stated_size(0.2)})
    assert {
        handedness: round(s.length, 4) for handedness, s in load_sizes(path, "ann").items()
    } == {
        Handedness.LEFT: 0.2,
        Handedness.RIGHT: 0.18,
    }
    assert "LEFT" not in path.read_text()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("ann: 3", "line 1: no hands of 'ann' stand here; it is `NAME: {left: {length"),
        ("[", "line 1: "),
        ("3", "line 1: no people stand here"),
        ("- ann", "line 1: no people stand here"),
        ("ann:\n\tleft: 3", "line 2: found character"),
        (
            "bob: {}\nann:\n  up: {length: 0.2}",
            "line 3: 'up' is no handedness; it is left or right",
        ),
        ("ann:\n  left: 0.2", "line 2: no length and sigma stand here"),
        ("ann:\n  left: {}", "line 2: the left hand has no length"),
        ("ann:\n  left: {lenght: 0.2}", "line 2: 'lenght' is unknown; known are length and sigma"),
        ("ann:\n  left: {length: x}", "line 2: length is 'x'; it is a number"),
        ("ann:\n  left: {length: [1]}", "line 2: length is 'no number'; it is a number"),
        ("ann:\n  left: {length: -0.2}", "line 2: a hand of -0.200 m"),
        ("ann:\n  left: {length: 18.5}", "hands are 0.10 to 0.30 m long"),
        ("ann:\n  left: {length: .nan}", "line 2: length is '.nan'"),
        ("ann:\n  left: {length: nan}", "line 2: a hand of nan m"),
        ("ann:\n  left: {length: 0.2, sigma: 0}", "sigma is 0; it is between 0 and 1"),
        ("ann: \x00", "is no text"),
    ],
)
def test_what_is_wrong_in_it_is_named_with_its_line(tmp_path, content, words):
    path = tmp_path / "hands.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(FileFormatError) as caught:
        load_sizes(path, "ann")
    text = str(caught.value)
    assert str(path) in text
    assert words in text
    assert "calibrate again" in text
    assert "object at" not in text


def test_what_is_wrong_with_others_is_no_obstacle(tmp_path):
    path = tmp_path / "hands.yaml"
    path.write_text("bob: {left: {length: x}}\nann: {left: {length: 0.2}}")
    assert set(load_sizes(path, "ann")) == {Handedness.LEFT}


@pytest.mark.parametrize("content", ["ann: 3", "[", "3"])
def test_a_file_of_another_kind_is_not_overwritten(tmp_path, content):
    path = tmp_path / "hands.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(FileFormatError, match=r"hands.yaml, line 1"):
        save_sizes(path, "bob", {Handedness.LEFT: stated_size(0.17, 0.01)})
    assert path.read_text() == content


def test_bytes_that_are_no_text_are_named(tmp_path):
    (tmp_path / "hands.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileFormatError, match=r"hands.yaml is no text"):
        load_sizes(tmp_path / "hands.yaml", "ann")


def test_a_folder_in_its_place_is_named(tmp_path):
    (tmp_path / "hands.yaml").mkdir()
    with pytest.raises(ConfigurationError, match=r"hands.yaml cannot be read: Is a directory"):
        load_sizes(tmp_path / "hands.yaml", "ann")


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "folder").write_text("a file where a folder is needed")
    path = tmp_path / "folder" / "hands.yaml"
    with pytest.raises(ConfigurationError, match=r"hands.yaml cannot be"):
        save_sizes(path, "ann", {Handedness.LEFT: stated_size(0.17)})


@pytest.mark.parametrize("name", ["ann", "Jean Luc", "a/b", "Zoë", "1"])
def test_people_have_names(name):
    check_person(name)


@pytest.mark.parametrize("name", ["", " ", "ann ", "a\nb", "\x1b[31m"])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(ConfigurationError, match="person is "):
        check_person(name)
