"""The package as a whole: its metadata, its message definitions, the built messages."""

from __future__ import annotations

import enum
import importlib
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hamer_ros.hands import ScaleSource, Side, TrackState

ROOT = Path(__file__).resolve().parent.parent
MESSAGES = sorted((ROOT / "msg").glob("*.msg"))


@pytest.fixture(scope="module")
def messages():
    """The generated messages; where there is a ROS, a package without them is a failure."""
    pytest.importorskip("rclpy")
    return importlib.import_module("hamer_ros.msg")


def package_xml() -> ElementTree.Element:
    return ElementTree.parse(ROOT / "package.xml").getroot()


def test_package_xml_is_what_rosidl_and_rosdep_need():
    package = package_xml()
    assert package.get("format") == "3"
    assert package.findtext("name") == "hamer_ros"
    assert re.fullmatch(r"[^@\s]+@[^@\s]+\.[a-z]+", package.find("maintainer").get("email"))
    assert package.findtext("member_of_group") == "rosidl_interface_packages"
    assert package.findtext("export/build_type") == "ament_cmake"


def test_license_file_is_the_named_license():
    licence = package_xml().find("license")
    assert licence.text == "Apache-2.0"
    assert "Apache License" in (ROOT / licence.get("file")).read_text()


def test_versions_agree():
    version = re.search(r'version="([^"]+)"', (ROOT / "setup.py").read_text()).group(1)
    assert version == package_xml().findtext("version")


OPTIONAL = {"ffmpeg_image_transport_msgs"}
"""Not part of a ROS that was just installed; the node says what to install when asked for it."""


def test_every_message_package_in_use_is_a_dependency():
    imported = set()
    for file in (ROOT / "hamer_ros").rglob("*.py"):
        imported |= set(re.findall(r"from (\w+_(?:msgs|interfaces))\.msg", file.read_text()))
    package = package_xml()
    declared = {e.text for kind in ("depend", "exec_depend") for e in package.iter(kind)}
    assert imported - OPTIONAL <= declared
    assert imported >= OPTIONAL


def test_cmake_generates_every_message():
    cmake = (ROOT / "CMakeLists.txt").read_text()
    assert [f"msg/{file.name}" for file in MESSAGES] == re.findall(r"msg/\w+\.msg", cmake)


@pytest.mark.parametrize("file", MESSAGES, ids=lambda file: file.stem)
def test_every_field_has_a_comment(file):
    """A comment holds for the lines below it, up to the next empty line."""
    bare = []
    for block in re.split(r"\n\s*\n", file.read_text()):
        first = block.strip().splitlines()[0]
        if not first.startswith("#"):
            bare.append(first)
    assert not bare


@pytest.mark.parametrize("values", [Side, ScaleSource, TrackState], ids=lambda e: e.__name__)
def test_constants_of_the_message_are_those_of_the_pipeline(messages, values: type[enum.IntEnum]):
    constants = {value.name: getattr(messages.HandMesh, value.name) for value in values}
    assert constants == {value.name: value.value for value in values}


def test_constants_of_the_message_have_no_others():
    constants = re.findall(r"^uint8 (\w+)=", (ROOT / "msg" / "HandMesh.msg").read_text(), re.M)
    assert set(constants) == {v.name for values in (Side, ScaleSource, TrackState) for v in values}


def floats(shape):
    """float32 arrays with infinities and NaN: a message must carry whatever is put into it."""
    return hnp.arrays(np.float32, shape, elements=st.floats(width=32))


def round_trip(message):
    serialization = importlib.import_module("rclpy.serialization")
    return serialization.deserialize_message(
        serialization.serialize_message(message), type(message)
    )


ARRAYS = {
    "joints": 63,
    "keypoints": 42,
    "keypoint_scores": 21,
    "bounding_box": 4,
    "betas": 10,
    "hand_pose": 45,
}


@given(
    arrays=st.fixed_dictionaries({name: floats(size) for name, size in ARRAYS.items()}),
    vertices=floats(st.integers(0, 100).map(lambda n: 3 * n)),
    covariance=hnp.arrays(np.float64, 36),
    side=st.sampled_from(Side),
    track_id=st.integers(0, 2**32 - 1),
    n_hands=st.integers(0, 3),
)
def test_hands_survive_serialisation(
    messages, arrays, vertices, covariance, side, track_id, n_hands
):
    hand = messages.HandMesh(handedness=int(side), track_id=track_id, **arrays)
    hand.vertices.frombytes(vertices.tobytes())
    hand.wrist.covariance = covariance

    sent = messages.HandMeshArray(hand_model="sculpted", hands=[hand] * n_hands)
    sent.header.frame_id = "camera_optical_frame"
    received = round_trip(sent)

    assert received.header == sent.header
    assert received.hand_model == "sculpted"
    assert len(received.hands) == n_hands
    for got in received.hands:
        assert (got.handedness, got.track_id) == (side, track_id)
        for name, values in arrays.items():
            np.testing.assert_array_equal(getattr(got, name), values)
        np.testing.assert_array_equal(np.array(got.vertices, np.float32), vertices)
        np.testing.assert_array_equal(got.wrist.covariance, covariance)


@given(
    parents=st.lists(st.integers(-1, 20), max_size=21),
    faces=hnp.arrays(np.uint32, st.integers(0, 60).map(lambda n: 3 * n)),
)
def test_topology_survives_serialisation(messages, parents, faces):
    sent = messages.HandTopology(
        joint_names=[f"joint_{i}" for i in range(len(parents))], joint_parents=parents
    )
    sent.left_faces.frombytes(faces.tobytes())
    sent.right_faces.frombytes(faces[::-1].tobytes())
    assert round_trip(sent) == sent


def test_tf_messages_reach_every_tf_listener():
    """Middleware matches topics by type hash; this is the one of ROS's own tf2_msgs."""
    pytest.importorskip("rclpy")
    packages = importlib.import_module("ament_index_python.packages")
    description = Path(packages.get_package_share_directory("tf2_msgs")) / "msg" / "TFMessage.json"
    ours = next(
        entry["hash_string"]
        for entry in json.loads(description.read_text())["type_hashes"]
        if entry["type_name"] == "tf2_msgs/msg/TFMessage"
    )
    assert ours == "RIHS01_e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087"
