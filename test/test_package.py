"""The package as a whole: its metadata, its message definitions, the built messages."""

from __future__ import annotations

import enum
import importlib
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import hamer_ros
from hamer_ros.hands import Handedness, ScaleSource, TrackState

if sys.version_info >= (3, 11):
    import tomllib
else:  # pytest brings it there
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
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


def newest_release() -> tuple[str, str]:
    """Version and date of the first entry of the changelog."""
    text = (ROOT / "CHANGELOG.md").read_text()
    return re.search(r"^## \[(.+)\] - (\d{4}-\d\d-\d\d)$", text, re.M).groups()


def test_versions_agree():
    version, date = newest_release()
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert version == hamer_ros.__version__
    assert version == package_xml().findtext("version")
    assert version == citation["version"]
    assert date == str(citation["date-released"])


def test_pip_takes_the_version_from_the_package():
    assert "version" not in PYPROJECT["project"]
    assert PYPROJECT["project"]["dynamic"] == ["version"]
    assert PYPROJECT["tool"]["setuptools"]["dynamic"] == {
        "version": {"attr": "hamer_ros.__version__"}
    }


def test_pip_ros_and_citation_name_the_same_licence_and_maintainer():
    licence, maintainer = (package_xml().find(name) for name in ("license", "maintainer"))
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = PYPROJECT["project"]
    assert project["license"] == citation["license"] == licence.text
    assert project["license-files"] == [licence.get("file")]
    assert project["authors"] == [{"name": maintainer.text, "email": maintainer.get("email")}]
    assert citation["authors"] == [{"name": maintainer.text}]


def test_every_release_says_what_is_new():
    text = (ROOT / "CHANGELOG.md").read_text()
    releases = re.findall(r"^## \[(\d+)\.(\d+)\.(\d+)\] - (\S+)\n\n(\S)", text, re.M)
    assert len(releases) == text.count("\n## ")
    numbers = [tuple(map(int, release[:3])) for release in releases]
    assert numbers == sorted(set(numbers), reverse=True)
    assert [r[3] for r in releases] == sorted((r[3] for r in releases), reverse=True)
    assert set(re.findall(r"^### (.+)$", text, re.M)) <= {
        "Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"
    }  # fmt: skip


ROSDEP = {
    "python3-numpy": "numpy",
    "python3-onnxruntime-pip": "onnxruntime",
    "python3-opencv": "opencv-python-headless",
    "python3-tqdm": "tqdm",
    "python3-yaml": "pyyaml",
}
"""Name of a dependency for rosdep -> its name for pip."""


def required(file: str) -> set[str]:
    """The packages that a file of requirements names."""
    lines = (ROOT / "requirements" / file).read_text().splitlines()
    return {re.match(r"[\w-]+", line)[0] for line in lines if line and not line.startswith("#")}


def test_pip_rosdep_and_make_install_the_same_packages():
    dependencies = set(PYPROJECT["project"]["dependencies"])
    extras = PYPROJECT["project"]["optional-dependencies"]
    python = {e.text for e in package_xml().iter("exec_depend") if e.text.startswith("python3-")}
    # pip is what fetches the models.
    assert {ROSDEP[name] for name in python - {"python3-pip"}} == dependencies
    assert required("run.txt") == dependencies | set(extras["convert"])


def test_all_that_is_optional_is_tested_where_there_need_be_no_gpu():
    extras = PYPROJECT["project"]["optional-dependencies"]
    named = {package for name, packages in extras.items() if name != "gpu" for package in packages}
    assert named <= required("run.txt") | required("test.txt")


def test_pip_installs_the_package_and_its_data_and_nothing_else(tmp_path):
    if int(importlib.metadata.version("setuptools").split(".")[0]) < 77:
        pytest.skip("needs setuptools 77, which pip fetches where it may")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("hamer_ros", "bench", "examples", "test", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    # As pip does it; it would fetch setuptools first.
    code = "from setuptools import build_meta; print(build_meta.build_wheel('.'))"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    with zipfile.ZipFile(tmp_path / run.stdout.splitlines()[-1]) as wheel:
        names = set(wheel.namelist())
    info = f"hamer_ros-{hamer_ros.__version__}.dist-info"
    installed = {name for name in names if not name.startswith(f"{info}/")}
    sources = (ROOT / "hamer_ros").rglob("*")
    assert installed == {
        str(file.relative_to(ROOT))
        for file in sources
        if file.suffix in (".py", ".npz", ".typed") and file.is_file()
    }
    assert f"{info}/licenses/LICENSE" in names


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


@pytest.mark.parametrize("values", [Handedness, ScaleSource, TrackState], ids=lambda e: e.__name__)
def test_constants_of_the_message_are_those_of_the_pipeline(messages, values: type[enum.IntEnum]):
    constants = {value.name: getattr(messages.HandMesh, value.name) for value in values}
    assert constants == {value.name: value.value for value in values}


def test_constants_of_the_message_have_no_others():
    constants = re.findall(r"^uint8 (\w+)=", (ROOT / "msg" / "HandMesh.msg").read_text(), re.M)
    assert set(constants) == {
        v.name for values in (Handedness, ScaleSource, TrackState) for v in values
    }


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
    handedness=st.sampled_from(Handedness),
    track_id=st.integers(0, 2**32 - 1),
    n_hands=st.integers(0, 3),
)
def test_hands_survive_serialisation(
    messages, arrays, vertices, covariance, handedness, track_id, n_hands
):
    hand = messages.HandMesh(handedness=int(handedness), track_id=track_id, **arrays)
    hand.vertices.frombytes(vertices.tobytes())
    hand.wrist.covariance = covariance

    sent = messages.HandMeshArray(hand_model="sculpted", hands=[hand] * n_hands)
    sent.header.frame_id = "camera_optical_frame"
    received = round_trip(sent)

    assert received.header == sent.header
    assert received.hand_model == "sculpted"
    assert len(received.hands) == n_hands
    for got in received.hands:
        assert (got.handedness, got.track_id) == (handedness, track_id)
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
