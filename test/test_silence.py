"""Why no images come is said as far as it can be known, and no further."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from hamer_ros.ros.monitoring.shared_memory import SharedMemory, shared_memory
from hamer_ros.ros.monitoring.silence import Publisher, Silence, why_silent

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
DEFAULT_SEGMENT, LARGE_SEGMENT = 549_408, 70_255_136
CAMERA = Publisher("/camera", IMAGE)
NOTHING_CAME = Silence(
    topic="/image",
    kind=IMAGE,
    publishers=(CAMERA,),
    received=0,
    silence=5.0,
    period=None,
    middleware="rmw_fastrtps_cpp",
    image_bytes=921_600,
    shared_memory=SharedMemory(DEFAULT_SEGMENT),
)
SEGMENT = "larger than Fast DDS' shared-memory segment"


def test_without_a_publisher_the_topics_are_to_be_remapped():
    text = why_silent(replace(NOTHING_CAME, publishers=()))
    assert text == "nobody publishes it; remap image and camera_info to your camera's topics"


def test_a_camera_that_went_away_was_there():
    text = why_silent(replace(NOTHING_CAME, publishers=(), received=49))
    assert text == "49 images have come, and then who published them went away"


@pytest.mark.parametrize("transport", ["compressed", "ffmpeg"])
def test_a_raw_topic_that_ends_like_a_transport_names_the_remedy(transport):
    topic = f"/camera/image_raw/{transport}"
    text = why_silent(replace(NOTHING_CAME, publishers=(), topic=topic))
    assert f"image_transport:={transport} and image_topic:=/camera/image_raw" in text


def test_a_topic_of_compressed_images_names_the_remedy():
    now = replace(
        NOTHING_CAME,
        topic="/camera/image_raw/compressed",
        publishers=(Publisher("/camera", COMPRESSED),),
    )
    text = why_silent(now)
    assert text.startswith(f"/camera publishes {COMPRESSED} on it, not {IMAGE}")
    assert "image_transport:=compressed and image_topic:=/camera/image_raw" in text


def test_a_mismatch_of_qos_is_said_before_all_else():
    publishers = (Publisher("/camera", IMAGE, "reliability"), CAMERA)
    assert why_silent(replace(NOTHING_CAME, publishers=publishers)) == (
        "QoS mismatch with /camera: reliability"
    )


def test_a_camera_that_has_sent_images_has_stopped():
    text = why_silent(replace(NOTHING_CAME, received=400, period=0.03))
    assert text == "/camera has sent 400 images and then stopped"


def test_a_slow_camera_is_not_broken():
    text = why_silent(replace(NOTHING_CAME, received=4, period=4.0))
    assert "every 4.0 s; raise silence_after" in text


@pytest.mark.parametrize(
    ("change", "is_said"),
    [
        ({}, True),
        ({"image_bytes": None}, True),
        ({"image_bytes": 100_000}, False),
        ({"shared_memory": SharedMemory(LARGE_SEGMENT)}, False),
        ({"shared_memory": SharedMemory()}, False),
        ({"middleware": "rmw_cyclonedds_cpp"}, False),
        ({"middleware": "rmw_zenoh_cpp"}, False),
        ({"received": 3}, False),
        ({"kind": COMPRESSED, "publishers": (Publisher("/camera", COMPRESSED),)}, False),
    ],
)
def test_the_segment_is_blamed_only_where_it_can_be_the_cause(change, is_said):
    assert (SEGMENT in why_silent(replace(NOTHING_CAME, **change))) == is_said


@pytest.mark.parametrize(
    ("middleware", "words"),
    [
        ("rmw_cyclonedds_cpp", "net.core.rmem_max"),
        ("rmw_zenoh_cpp", "rmw_zenohd"),
        ("rmw_fastrtps_cpp", "another user"),
    ],
)
def test_each_middleware_has_its_own_words(middleware, words):
    assert words in why_silent(replace(NOTHING_CAME, middleware=middleware))


def test_another_user_with_shared_memory_is_named():
    memory = SharedMemory(DEFAULT_SEGMENT, ("alice",))
    text = why_silent(replace(NOTHING_CAME, shared_memory=memory))
    assert "alice has shared memory here" in text
    assert "UDPv4" in text


def test_segments_are_told_from_ports_and_locks(tmp_path):
    assert shared_memory(tmp_path) == SharedMemory()
    (tmp_path / "fastrtps_184606bdd4b56374").write_bytes(bytes(700))
    (tmp_path / "fastrtps_5dd170538862882e").write_bytes(bytes(900))
    (tmp_path / "fastrtps_5dd170538862882e_el").write_bytes(b"")
    (tmp_path / "fastrtps_port7000").write_bytes(bytes(52))
    assert shared_memory(tmp_path) == SharedMemory(700)
    assert shared_memory(tmp_path / "none") == SharedMemory()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_the_owner_of_shared_memory_is_told(tmp_path):
    segment = tmp_path / "fastrtps_184606bdd4b56374"
    segment.write_bytes(bytes(700))
    os.chown(segment, 54321, 54321)
    assert shared_memory(tmp_path).other_users == ("54321",)
