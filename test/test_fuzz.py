"""The fault suite: what it sends, what it sees, and that the node stands ten thousand events."""

from __future__ import annotations

from collections import Counter
from itertools import count, pairwise

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("hamer_ros.msg", reason="needs the built messages")

import sabotage
from builtin_interfaces.msg import Time
from geometry_msgs.msg import TransformStamped
from helpers import MODEL, placed_at
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from bench.fuzz import stamps
from bench.fuzz.events import EPISODE, SOUND_IMAGE, Setting, make_event, make_setting
from bench.fuzz.expected_outcome import (
    BAD_IMAGE,
    BAD_INFO,
    BAD_STAMP,
    FUTURE,
    NO_CLOCK,
    NO_FRAME,
    OUT_OF_ORDER,
    PROCESSED,
    SOUND,
    UNCALIBRATED,
    broken,
    doubtful,
)
from bench.fuzz.measure import measure_fuzz
from bench.fuzz.oracle import check_answer
from bench.fuzz.run import HANDS_EVERY, FuzzRun
from hamer_ros.hands import TrackedHand, TrackState
from hamer_ros.ros.output.messages import hand_mesh_array, wrist_transforms

RAW = Setting(compressed=False, rectified=False, sim_time=False, guess=False, with_pictures=False)
NOW = 1_000_000 * stamps.SECOND


# Verdicts


def test_outcomes_add_up():
    assert SOUND.allows(PROCESSED)
    assert not SOUND.allows(BAD_IMAGE)
    both = broken(BAD_IMAGE) & doubtful(BAD_INFO)
    assert both.allows(BAD_IMAGE)
    assert both.allows(BAD_INFO)
    assert not both.allows(PROCESSED)
    assert not both.allows("internal error")


def stamp(seconds: float) -> Time:
    return stamps.Stamp(round(seconds * stamps.SECOND)).at(NOW)


@pytest.mark.parametrize(
    ("time", "clock", "outcome"),
    [
        (stamp(0.0), NOW, SOUND),
        (stamp(-3600.0), NOW, SOUND),
        (stamp(0.5), NOW, SOUND),
        (stamp(1.5), NOW, broken(FUTURE)),
        (stamp(0.0), 0, broken(NO_CLOCK)),
        (Time(sec=-1), NOW, broken(BAD_STAMP)),
        (Time(sec=1, nanosec=10**9), NOW, broken(BAD_STAMP)),
    ],
)
def test_a_stamp_is_judged_by_the_clock(time, clock, outcome):
    assert stamps.StampHistory().expected(time, clock) == outcome


def test_a_stamp_is_judged_by_the_one_before():
    history = stamps.StampHistory()
    history.add(stamp(0.0), PROCESSED)
    assert history.expected(stamp(-0.1), NOW) == broken(OUT_OF_ORDER)
    assert history.expected(stamp(-10.0), NOW) == SOUND
    for k in range(stamps.LATE_RUN):
        assert history.expected(stamp(-0.1 + 0.005 * k), NOW) == broken(OUT_OF_ORDER)
        history.add(stamp(-0.1 + 0.005 * k), OUT_OF_ORDER)
    assert history.expected(stamp(-0.04), NOW) == doubtful(OUT_OF_ORDER)


# Events


def test_an_event_is_a_function_of_its_seed_and_number():
    for number in range(30):
        setting = make_setting(5, number)
        assert make_event(5, number, setting) == make_event(5, number, setting)
    assert make_event(5, 3, RAW) != make_event(6, 3, RAW)


def test_an_episode_has_one_setting_and_the_next_another_transport():
    assert len({make_setting(1, number) for number in range(EPISODE)}) == 1
    assert make_setting(1, 0).compressed != make_setting(1, EPISODE).compressed


@pytest.mark.parametrize("compressed", [False, True])
def test_every_kind_of_fault_comes_and_sound_images_between(compressed):
    setting = Setting(compressed, rectified=False, sim_time=True, guess=False, with_pictures=False)
    events = [make_event(2, number, setting) for number in range(1500)]
    reasons = Counter(reason for one in events for reason in one.expected.reasons)
    assert {BAD_IMAGE, BAD_INFO, NO_FRAME, UNCALIBRATED} <= set(reasons)
    assert sum(one.what.startswith(SOUND_IMAGE) for one in events) > 300
    assert 0.5 < np.mean([one.expected.must_be_refused for one in events]) < 0.9
    sizes = [(one.info.width, one.info.height) for one in events]
    assert np.mean([one != two for one, two in pairwise(sizes)]) > 0.9


# What is wrong with an answer


def answer() -> tuple:
    """Two hands and their transforms, all as it should be."""
    header = Header(stamp=Time(sec=7), frame_id="camera")
    hands = [
        TrackedHand(hand, number, TrackState.TRACKED, hand)
        for number, hand in enumerate((placed_at((-0.1, 0, 0.5)), placed_at((0.1, 0, 0.5))), 1)
    ]
    array = hand_mesh_array(hands, header, estimator="e", model=MODEL)
    transforms = wrist_transforms(hands, header, ["hand_right", "hand_right_2"])
    return array, transforms


def spoilt(name: str) -> tuple:
    array, transforms = answer()
    hand = array.hands[0]
    if name == "joints":
        hand.joints[5] = np.nan
    elif name == "covariance":
        hand.wrist.covariance[0] = -1.0
    elif name == "quaternion":
        hand.wrist.pose.orientation.w += 0.5
    elif name == "behind":
        hand.wrist.pose.position.z = transforms[0].transform.translation.z = -0.5
    elif name == "twice":
        array.hands[1].track_id = 1
    elif name == "frame":
        transforms[0].header = Header(stamp=Time(sec=7), frame_id="world")
    elif name == "elsewhere":
        transforms[1].transform.translation.x += 1e-9
    elif name == "child":
        transforms[1].child_frame_id = "hand_middle"
    elif name == "missing":
        transforms.pop()
    elif name == "too many":
        transforms.append(TransformStamped())
    return array, transforms


def test_nothing_is_wrong_with_a_right_answer():
    array, transforms = answer()
    assert check_answer(array, [TFMessage(transforms=transforms)]) == []


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("joints", "not finite: joints"),
        ("covariance", "variances are"),
        ("quaternion", "the quaternion of wrist has norm"),
        ("behind", "behind the camera"),
        ("twice", "track ids are"),
        ("frame", "/tf under stamp 7.000000000 frame 'world'"),
        ("elsewhere", "hand_right_2 is at"),
        ("child", "frames of the hands are"),
        ("missing", "1 transforms for 2 hands"),
        ("too many", "3 transforms for 2 hands"),
    ],
)
def test_what_is_wrong_is_said(name, fault):
    array, transforms = spoilt(name)
    assert fault in "\n".join(check_answer(array, [TFMessage(transforms=transforms)]))


# The node


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize(
    ("entry_point", "fault"),
    [
        (sabotage.dying, "the node died of SIGSEGV"),
        (sabotage.slow, "' only after 12"),
        (sabotage.dawdling, "processed only after 12"),
        (sabotage.counting_twice, "is counted once more"),
        (sabotage.in_another_frame, "frame 'map', where no image was processed"),
        (sabotage.not_finite, "not finite: covariance"),
        (sabotage.lenient, "processed; right is: refused as"),
        (sabotage.blind, "6 images of two hands in a row, and none is followed"),
        (sabotage.drawing_badly, "/hamer/markers: points of mesh are missing or not finite"),
    ],
)
def test_a_node_that_does_wrong_is_found_out(entry_point, fault, tmp_path):
    first = next(n for n in count(0, EPISODE) if make_setting(3, n).with_pictures)
    failures = []
    with FuzzRun(3, tmp_path / "log", entry_point) as fuzz_run:
        for number in range(first, first + HANDS_EVERY):
            failures += fuzz_run.play(number)
            if any(fault in failure.fault for failure in failures):
                return
    pytest.fail(f"not found: {failures[:5]}")


@pytest.mark.usefixtures("models")
def test_diagnostics_that_count_wrong_are_found_out(tmp_path):
    with FuzzRun(3, tmp_path / "log", sabotage.miscounting) as fuzz_run:
        for number in range(20):
            fuzz_run.play(number)
        assert "diagnostics say" in fuzz_run.settle()[0].fault


@pytest.mark.usefixtures("models")
def test_events_in_any_order_leave_the_node_well(tmp_path):
    """Hypothesis chooses the events and shortens a story that ends badly."""
    with FuzzRun(11, tmp_path / "log") as fuzz_run:

        @settings(
            max_examples=25,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        @given(st.lists(st.integers(0, EPISODE - 1), min_size=5, max_size=20))
        def tell(numbers: list[int]) -> None:
            assert [failure for number in numbers for failure in fuzz_run.play(number)] == []

        tell()
        assert fuzz_run.settle() == []


@pytest.mark.usefixtures("models")
def test_ten_thousand_events_leave_the_node_well(tmp_path):
    records = {record.name: record.value for record in measure_fuzz(tmp_path, 10_000)}
    assert records["fuzz/events"] == 10_000
    assert records["fuzz/failures"] == 0
    assert records["fuzz/processed"] > 1000
    assert records["fuzz/hands_followed"] > 0.8 * 10_000 / HANDS_EVERY
    assert (tmp_path / "fuzz_failures.txt").read_text() == ""
