"""The command line tool and the demo: sources, figures, pictures, processes, one run over DDS."""

from __future__ import annotations

import importlib
import json
import math
import mmap
import os
import signal
import sys
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamer_ros import cli
from hamer_ros.camera.model import CameraError, CameraModel
from hamer_ros.demo import processes
from hamer_ros.demo.accuracy import frame_errors
from hamer_ros.demo.frame_stack import write_stack
from hamer_ros.demo.intrinsics import GUESSED_FOV, parse_camera
from hamer_ros.demo.pictures import SELECTED, PictureContent, contact_sheet, write_pictures
from hamer_ros.demo.processes import DemoError, ProcessGroup, free_domain, isolated_environment
from hamer_ros.demo.records import Recording, SeenFrame, SeenHand, SeenTransform, SentFrame
from hamer_ros.demo.rendered_source import CAMERA, clip_truths
from hamer_ros.demo.report import (
    Report,
    errors_of,
    failures,
    match,
    summarise,
    table,
    write_json,
)
from hamer_ros.demo.run import Playback, installed_node, prepare
from hamer_ros.demo.sources import STILL_RATE, STILL_SECONDS, Source, SourceError, open_source
from hamer_ros.demo.transliteration import spelled
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hand_model.topology import closed_faces, mirrored_faces
from hamer_ros.hands import Handedness
from hamer_ros.inference.model_store import CACHE_VARIABLE
from hamer_ros.rendering.clip import HandTruth

N_FRAMES = 8
TRUTHS = clip_truths(N_FRAMES)
SECOND = 10**9
FACES = closed_faces(HandModel.default().faces)


def seen_hand(true: HandTruth, **changes) -> SeenHand:
    """The hand as a perfect estimator would publish it."""
    wrist = np.array([*true.joints[0], 0.0, 0.0, 0.0, 1.0])
    perfect = SeenHand(
        true.handedness,
        int(true.handedness),
        0.9,
        true.joints,
        true.vertices,
        true.keypoints,
        wrist,
        True,
    )
    return replace(perfect, **changes)


def perfect_run(latency: int = SECOND // 50) -> tuple[list[SentFrame], Recording]:
    """Every frame answered after some nanoseconds, with the true hands."""
    sent = [SentFrame(index, SECOND * (index + 1)) for index in range(N_FRAMES)]
    frames = [
        SeenFrame(f.stamp, f.stamp + latency, tuple(seen_hand(true) for true in TRUTHS[f.index]))
        for f in sent
    ]
    transforms = [
        SeenTransform(
            frame.stamp, "camera", f"hand_{hand.handedness.name}", hand.wrist[:3], hand.wrist[3:]
        )
        for frame in frames
        for hand in frame.hands
    ]
    faces = {Handedness.LEFT: mirrored_faces(FACES), Handedness.RIGHT: FACES}
    overlay = np.zeros((48, 64, 3), np.uint8)
    return sent, Recording("made up", tuple(frames), tuple(transforms), faces, overlay, 4)


def report_of(
    sent: list[SentFrame], recording: Recording, truths=TRUTHS, cpu_seconds: float = 0.16
) -> Report:
    frames = match(sent, recording)
    errors = None if truths is None else errors_of(frames, truths)
    return summarise("clip", "known", 4, frames, recording, cpu_seconds, errors)


def with_hands(recording: Recording, index: int, hands: tuple[SeenHand, ...]) -> Recording:
    frames = list(recording.frames)
    frames[index] = replace(frames[index], hands=hands)
    return replace(recording, frames=tuple(frames))


# Figures


def test_a_perfect_run_has_perfect_figures():
    report = report_of(*perfect_run())
    assert failures(report) == []
    assert (report.sent, report.processed, report.dropped) == (N_FRAMES, N_FRAMES, 0)
    assert (report.hands, report.with_hands, report.tf_complete) == (2 * N_FRAMES, 8, 8)
    assert report.cpu_per_frame == pytest.approx(20.0)
    assert report.accuracy.hands == 2 * N_FRAMES
    assert (report.accuracy.found, report.accuracy.handedness_right) == (1.0, 1.0)
    assert report.accuracy.pa_mpjpe_max == pytest.approx(0.0, abs=1e-9)
    assert report.accuracy.mpjpe_mean == pytest.approx(0.0, abs=1e-9)


def test_latency_percentiles():
    sent, recording = perfect_run()
    milliseconds = [10, 20, 30, 40, 50, 60, 70, 80]
    late = tuple(
        replace(frame, received=frame.stamp + 10**6 * ms)
        for frame, ms in zip(recording.frames, milliseconds, strict=True)
    )
    report = report_of(sent, replace(recording, frames=late))
    assert report.latency_p50 == pytest.approx(45.0)
    assert report.latency_p99 == pytest.approx(np.percentile(milliseconds, 99))


def test_dropped_frames_and_frames_that_were_never_sent():
    sent, recording = perfect_run()
    encore = replace(recording.frames[-1], stamp=99 * SECOND)
    report = report_of(sent, replace(recording, frames=(*recording.frames[2:], encore)))
    assert (report.processed, report.dropped) == (6, 2)
    assert report.accuracy.hands == 12
    assert failures(report) == []


def test_a_shifted_hand_has_an_error_in_the_camera_frame_only():
    left, right = TRUTHS[0]
    shifted = seen_hand(left, joints=np.add(left.joints, [0.0, 0.0, 0.02]))
    errors = frame_errors(0, [seen_hand(right), shifted], TRUTHS[0])
    assert [(e.handedness, e.handedness_right) for e in errors.found] == [
        (Handedness.LEFT, True),
        (Handedness.RIGHT, True),
    ]
    assert errors.found[0].mpjpe == pytest.approx(20.0)
    assert errors.found[0].pa_mpjpe == pytest.approx(0.0, abs=1e-9)
    assert (errors.missed, errors.invented) == (0, 0)


def test_missed_and_invented_hands():
    left, right = TRUTHS[0]
    elsewhere = seen_hand(right, keypoints=right.keypoints + 500.0)
    twice = [seen_hand(left), seen_hand(left, keypoints=left.keypoints + 3.0), elsewhere]
    errors = frame_errors(0, twice, TRUTHS[0])
    assert [error.handedness for error in errors.found] == [Handedness.LEFT]
    assert (errors.missed, errors.invented) == (1, 2)


def bent(true: HandTruth) -> SeenHand:
    """The hand with its middle finger's tip far off."""
    joints = true.joints.copy()
    joints[12] += [0.0, 0.0, 0.4]
    return seen_hand(true, joints=joints)


LEFT, RIGHT = TRUTHS[3]
BAD = {
    "none of the 8 frames was processed": lambda r: replace(r, frames=()),
    "not finite": lambda r: with_hands(r, 3, (seen_hand(LEFT, finite=False), seen_hand(RIGHT))),
    "no topology": lambda r: replace(r, faces={}),
    "no overlay": lambda r: replace(r, overlay=None),
    "no markers": lambda r: replace(r, markers=None),
    "on /tf": lambda r: replace(r, transforms=r.transforms[1:]),
    "only 7 of 8 frames": lambda r: replace(
        r, transforms=(*r.transforms[1:], replace(r.transforms[0], translation=np.zeros(3)))
    ),
    "of the hands were found": lambda r: with_hands(r, 3, (seen_hand(LEFT),)),
    "right side": lambda r: with_hands(
        r, 3, (seen_hand(LEFT, handedness=Handedness.RIGHT), seen_hand(RIGHT))
    ),
    "where there are none": lambda r: with_hands(
        r, 3, (*r.frames[3].hands, seen_hand(LEFT, keypoints=LEFT.keypoints + 300))
    ),
    "no hand of the clip": lambda r: replace(
        r, frames=tuple(replace(f, hands=()) for f in r.frames)
    ),
    "at worst": lambda r: with_hands(r, 3, (bent(LEFT), seen_hand(RIGHT))),
    "in the mean": lambda r: replace(
        r,
        frames=tuple(
            replace(frame, hands=tuple(map(bent, true)))
            for frame, true in zip(r.frames, TRUTHS, strict=True)
        ),
    ),
}


@pytest.mark.parametrize("reason", BAD)
def test_every_flaw_is_a_failure_with_a_reason(reason):
    sent, recording = perfect_run()
    reasons = failures(report_of(sent, BAD[reason](recording)))
    assert any(reason in text for text in reasons), reasons


def test_finding_no_hands_where_nothing_is_known_is_no_failure():
    sent, recording = perfect_run()
    empty = tuple(replace(frame, hands=()) for frame in recording.frames)
    report = report_of(sent, replace(recording, frames=empty, transforms=()), truths=None)
    assert failures(report) == []
    assert "none were found" in table(report)


def test_table_and_json_say_the_same(tmp_path):
    sent, recording = perfect_run()
    report = report_of(sent[:7], recording)
    write_json(tmp_path / "report.json", report, ["why"])
    content = json.loads((tmp_path / "report.json").read_text())
    assert content["failures"] == ["why"]
    assert content["accuracy"]["found"] == 1.0
    assert (content["sent"], content["dropped"]) == (7, 0)
    text = table(report)
    assert "7 sent, 7 processed, 0 dropped" in text
    assert "100.0 % of 14 true hands" in text
    assert "p50 20.0 ms" in text


def test_hands_at_the_cap_are_told():
    sent, recording = perfect_run()
    report = report_of(sent, recording)
    assert "the most that are followed" not in table(report)
    capped = replace(report, max_hands=2)
    assert "2 at once, the most that are followed: there may be more" in table(capped)


def test_a_report_that_does_not_fit_on_the_disk_is_named():
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    with pytest.raises(OSError, match=r"No space left on device: '/dev/full'"):
        write_json(full, report_of(*perfect_run()), [])


def test_photographs_have_as_many_hands_as_the_node_allows():
    pytest.importorskip("rclpy")
    declared = importlib.import_module("hamer_ros.ros.parameters.table")
    field = declared.Parameters.__dataclass_fields__["max_hands"]
    source = Source("a.jpg", 1.0, live=False, stills=True, frames=lambda: iter(()))
    photographs = Playback(source, [], parse_camera(None), "guessed", None)
    assert photographs.max_hands == max(field.metadata["limits"])
    video = replace(photographs, source=replace(source, stills=False))
    assert video.max_hands == field.default


# Sources and intrinsics


def picture(width: int = 64, height: int = 48, value: int = 0) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def test_image_is_played_for_a_while_as_rgb(tmp_path):
    red = picture()
    red[..., 2] = 255  # OpenCV writes BGR
    cv2.imwrite(str(tmp_path / "red.png"), red)
    source = open_source(str(tmp_path / "red.png"))
    frames = list(source.frames())
    assert (source.name, source.rate, source.stills) == ("red.png", STILL_RATE, True)
    assert len(frames) == STILL_SECONDS * STILL_RATE
    assert frames[0][0, 0].tolist() == [255, 0, 0]
    assert len({id(frame) for frame in frames}) == 1


def test_folder_of_one_size_is_a_recording_in_order(tmp_path):
    for value in (30, 10, 20):
        cv2.imwrite(str(tmp_path / f"{value}.png"), picture(value=value))
    (tmp_path / "notes.txt").write_text("not an image")
    source = open_source(str(tmp_path), rate=10.0)
    assert not source.stills
    assert [frame[0, 0, 0] for frame in source.frames()] == [10, 20, 30]
    assert len(list(open_source(str(tmp_path), 10.0, 0.2).frames())) == 2


def test_folder_of_several_sizes_holds_photographs(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), picture(64))
    cv2.imwrite(str(tmp_path / "b.png"), picture(32))
    source = open_source(str(tmp_path), rate=10.0, seconds=0.3)
    assert source.stills
    assert [frame.shape[1] for frame in source.frames()] == [64, 64, 64, 32, 32, 32]


def test_video_has_its_own_rate(tmp_path):
    path = str(tmp_path / "video.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), 12.0, (64, 48))
    for value in (0, 100, 200):
        writer.write(picture(value=value))
    writer.release()
    source = open_source(path)
    assert source.rate == pytest.approx(12.0)
    assert [round(float(frame.mean()), -1) for frame in source.frames()] == [0, 100, 200]
    assert open_source(path, rate=5.0).rate == 5.0


def test_stack_of_frames(tmp_path):
    np.save(tmp_path / "stack.npy", np.stack([picture(value=value) for value in range(4)]))
    source = open_source(str(tmp_path / "stack.npy"))
    assert [frame[0, 0, 0] for frame in source.frames()] == [0, 1, 2, 3]


def test_what_cannot_be_played_is_said(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    (tmp_path / "broken.npy").write_bytes(b"no array")
    np.save(tmp_path / "flat.npy", np.zeros(3))
    np.save(tmp_path / "none.npy", np.zeros((0, 48, 64, 3), np.uint8))
    for name, reason in {
        "missing.jpg": "does not exist",
        "empty": "no images",
        "broken.jpg": "cannot be read as an image",
        "broken.mp4": "cannot be read as a video",
        "broken.npy": "cannot be read",
        "flat.npy": "stack of frames",
        "none.npy": "stack of frames",
    }.items():
        with pytest.raises(SourceError, match=reason):
            open_source(str(tmp_path / name))
    with pytest.raises(SourceError, match="no camera 987"):
        open_source("987")


def test_camera_is_guessed_given_or_calibrated(tmp_path):
    guess = parse_camera(None)(640, 480)
    assert 2 * math.degrees(math.atan(320 / guess.fx)) == pytest.approx(GUESSED_FOV)
    camera = parse_camera("600, 601,320,240")(640, 480)
    assert (camera.width, camera.fx, camera.fy, camera.cx, camera.cy) == (
        640,
        600,
        601,
        320,
        240,
    )

    calibration = tmp_path / "camera_info.yaml"
    calibration.write_text(
        "image_width: 640\nimage_height: 480\ndistortion_model: plumb_bob\n"
        "camera_matrix: {data: [500, 0, 320, 0, 510, 240, 0, 0, 1]}\n"
        "distortion_coefficients: {data: [0.1, 0, 0, 0, 0]}\n"
    )
    read = parse_camera(str(calibration))
    assert read(640, 480).distortion[0] == 0.1
    with pytest.raises(CameraError, match="640x480, this one is 320x240"):
        read(320, 240)


@pytest.mark.parametrize("text", ["600,600,320", "wide", "-1,600,320,240", "a,b,c,d"])
def test_a_camera_that_cannot_be_is_refused_at_once(text):
    with pytest.raises(CameraError):
        parse_camera(text)


# Pictures


def content_of(path: Path, truths=TRUTHS) -> PictureContent:
    sent, recording = perfect_run()
    frames = match(sent, recording)
    errors = None if truths is None else errors_of(frames, truths)
    return PictureContent(
        open_source(str(path)), parse_camera(CAMERA), frames, recording, truths, errors
    )


def test_pictures_of_a_recording(tmp_path):
    np.save(tmp_path / "clip.npy", np.full((N_FRAMES, 480, 640, 3), 128, np.uint8))
    out = tmp_path / "out"
    (out / "frames").mkdir(parents=True)
    stale = out / "frames" / "frame_9999.jpg"
    stale.touch()
    drawn = []
    with ThreadPoolExecutor() as workers:
        notes = write_pictures(out, content_of(tmp_path / "clip.npy"), workers, drawn.append)
    assert not stale.exists()
    assert sum(drawn) == N_FRAMES
    singles = sorted((out / "frames").glob("*.jpg"))
    assert len(singles) == SELECTED
    for path in [*singles, out / "contact_sheet.jpg", out / "errors.png"]:
        assert cv2.imread(str(path)).std() > 10.0, path

    video = next(out.glob("hands.*"))
    assert any(str(video) in note for note in notes)
    capture = cv2.VideoCapture(str(video))
    shown = 0
    while capture.read()[0]:
        shown += 1
    assert shown == N_FRAMES


def test_pictures_show_the_hands_in_their_colours(tmp_path):
    np.save(tmp_path / "clip.npy", np.full((N_FRAMES, 480, 640, 3), 128, np.uint8))
    with ThreadPoolExecutor() as workers:
        write_pictures(tmp_path, content_of(tmp_path / "clip.npy"), workers, lambda _: None)
    page = cv2.imread(str(tmp_path / "frames" / "frame_0000.jpg")).astype(float)
    for true in TRUTHS[0]:
        u, v = np.add(true.keypoints[[0, 5, 17]].mean(0), [16, 44])  # the middle of the palm
        blue, _, red = page[int(v) - 4 : int(v) + 5, int(u) - 4 : int(u) + 5].mean((0, 1))
        assert (red > blue + 30) if true.handedness is Handedness.RIGHT else (blue > red + 30)


def test_pictures_of_photographs(tmp_path):
    for name, width in (("a.png", 640), ("b.png", 600)):
        cv2.imwrite(str(tmp_path / name), picture(width, 480, 128))
    source = open_source(str(tmp_path), seconds=4 / STILL_RATE)
    out = tmp_path / "out"
    with ThreadPoolExecutor() as workers:
        content = replace(content_of(tmp_path, truths=None), source=source)
        write_pictures(out, content, workers, lambda _: None)
    assert len(list((out / "frames").glob("photo_*.jpg"))) == 2
    assert not list(out.glob("hands.*"))
    assert not (out / "errors.png").exists()


def test_a_photograph_without_an_answer_is_told(tmp_path):
    for name, width in (("a.png", 640), ("b.png", 600)):
        cv2.imwrite(str(tmp_path / name), picture(width, 480, 128))
    source = open_source(str(tmp_path), seconds=4 / STILL_RATE)
    content = replace(content_of(tmp_path, truths=None), source=source)
    late = [replace(f, seen=None) if f.index < N_FRAMES // 2 else f for f in content.frames]
    with ThreadPoolExecutor() as workers:
        notes = write_pictures(tmp_path, replace(content, frames=late), workers, lambda _: None)
    assert notes[0] == (
        "1 of 2 photographs came to no answer in time: give each more with --seconds"
    )


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("clip 1.mp4", "clip 1.mp4"),
        ("Рука и Ёж.mp4", "Ruka i Yozh.mp4"),
        ("Щётка", "Shchyotka"),
        ("Łódź, façade, Straße", "Lodz, facade, Strasse"),
        ("fac\u0327ade", "facade"),  # as macOS writes it
        ("Χέρι", "Cheri"),
        ("ひらがな カタカナ", "hiragana katakana"),
        ("손", "son"),
        ("手 01", "<U+624B> 01"),
        ("a\nb", "a b"),
    ],
)
def test_names_in_any_script_are_spelled_in_letters_that_can_be_drawn(name, letters):
    assert spelled(name) == letters


@given(st.text())
def test_whatever_is_spelled_can_be_drawn(text):
    letters = spelled(text)
    assert letters.isascii()
    assert letters.isprintable()
    assert letters.count("?") == unicodedata.normalize("NFKC", text).count("?")


def test_the_title_of_the_contact_sheet_is_readable_and_no_wider_than_it():
    page = picture(720, 400, 200)
    sheet = contact_sheet([page], "папка")
    np.testing.assert_array_equal(sheet, contact_sheet([page], "papka"))
    assert (sheet != contact_sheet([page], "?????")).any()
    long = contact_sheet([page], "手" * 80)[:48]
    assert (long[:, -8:] == long[0, 0]).all(), "the title runs into the edge"


# Processes


def test_a_live_camera_is_recorded_while_it_plays(tmp_path):
    pytest.importorskip("rclpy")
    camera = importlib.import_module("hamer_ros.demo.camera_process")
    frames = [picture(value=value) for value in (0, 100, 200)]
    path = tmp_path / "recording.avi"
    assert list(camera.recorded(iter(frames), path, 30.0)) == frames
    kept = list(open_source(str(path)).frames())
    assert [round(float(frame.mean()), -1) for frame in kept] == [0, 100, 200]


def test_a_recording_ends_with_a_word_before_the_disk_is_full(tmp_path, monkeypatch):
    pytest.importorskip("rclpy")
    camera = importlib.import_module("hamer_ros.demo.camera_process")
    room = iter([10**9, 10**9, 10**6])
    monkeypatch.setattr(camera.shutil, "disk_usage", lambda _: SimpleNamespace(free=next(room)))
    playing = camera.recorded(iter([picture()] * 3), tmp_path / "recording.avi", 30.0)
    assert len([next(playing), next(playing)]) == 2
    with pytest.raises(SourceError, match=r"only 1 MB left; make room there, set TMPDIR"):
        next(playing)


def test_a_clip_that_does_not_fit_on_the_disk_is_an_error_and_no_crash():
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    with pytest.raises(OSError, match=r"No space left on device: '/dev/full'"):
        write_stack(full, 2, [picture()] * 2, lambda _: None)


def test_a_stack_is_played_as_it_was_written(tmp_path):
    frames = [picture(value=value) for value in (3, 200)]
    write_stack(tmp_path / "stack.npy", 2, frames, lambda _: None)
    np.testing.assert_array_equal(np.load(tmp_path / "stack.npy"), frames)
    played = list(open_source(str(tmp_path / "stack.npy")).frames())
    np.testing.assert_array_equal(played, frames)


def test_the_camera_publishes_the_intrinsics_that_the_node_reads(tmp_path):
    pytest.importorskip("rclpy")
    camera = importlib.import_module("hamer_ros.demo.camera_process")
    node_side = importlib.import_module("hamer_ros.ros.input.camera_info")
    for model in (
        parse_camera(CAMERA)(640, 480),
        CameraModel(640, 480, 500, 510, 320, 240, "plumb_bob", (0.1, 0.01, 0.001, 0.002, 0.0)),
        CameraModel(640, 480, 300, 300, 320, 240, "equidistant", (0.1, 0.01, 0.0, 0.0)),
        CameraModel(640, 480, 500, 510, 320, 240, skew=20.0),
    ):
        read = node_side.read_intrinsics(
            camera.camera_info(model),
            model.width,
            model.height,
            rectified=False,
            scale_camera_info=False,
            mirrored=False,
            assumed_horizontal_fov=0.0,
        )
        assert read.camera == model
        assert read.remarks == ()


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_process_that_ends_early_is_told_with_its_last_words(tmp_path):
    with ProcessGroup() as group, pytest.raises(DemoError, match=r"(?s)lens has ended.*no light"):
        group.start("lens", python("print('no light')"), os.environ, tmp_path)
        group.wait_until(lambda: False, "light", 30)


def test_waiting_in_vain_ends(tmp_path):
    with ProcessGroup() as group, pytest.raises(DemoError, match="in vain for light"):
        group.start("lens", python("import time; time.sleep(60)"), os.environ, tmp_path)
        group.wait_until(lambda: False, "light", 0.1)


def test_processes_and_their_shared_memory_are_cleaned_up(tmp_path):
    segment = Path(f"/dev/shm/fastrtps_test_{os.getpid()}")
    code = (
        "import mmap, time\n"
        f"file = open({str(segment)!r}, 'w+b'); file.truncate(4096)\n"
        "memory = mmap.mmap(file.fileno(), 4096)\n"
        "print('ready', flush=True); time.sleep(60)"
    )
    begin = time.monotonic()
    with ProcessGroup() as group:
        process = group.start("lens", python(code), os.environ, tmp_path)
        group.wait_until(lambda: "ready" in process.log_tail(), "light", 30)
        assert process.cpu_seconds >= 0.0
        assert segment.exists()
    assert not process.is_running
    assert not segment.exists()
    assert time.monotonic() - begin < 20


def test_shared_memory_that_others_use_stays(tmp_path):
    segment = Path(f"/dev/shm/fastrtps_test_{os.getpid()}")
    code = (
        "import mmap, time\n"
        f"file = open({str(segment)!r}, 'r+b'); memory = mmap.mmap(file.fileno(), 4096)\n"
        "print('ready', flush=True); time.sleep(60)"
    )
    with segment.open("w+b") as file:
        file.truncate(4096)
        with mmap.mmap(file.fileno(), 4096):
            with ProcessGroup() as group:
                process = group.start("lens", python(code), os.environ, tmp_path)
                group.wait_until(lambda: "ready" in process.log_tail(), "light", 30)
            assert segment.exists()
    segment.unlink()


def test_the_demo_keeps_apart_from_the_users_robot(tmp_path):
    users = {"ROS_DOMAIN_ID": "7", "ROS_LOCALHOST_ONLY": "0", "HOME": "/home/user"}
    own = isolated_environment(users, tmp_path / "fastdds.xml")
    assert own["ROS_DOMAIN_ID"] != "7"
    assert own["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert own["HOME"] == "/home/user"
    assert "ROS_LOCALHOST_ONLY" not in own
    assert all(1 <= free_domain("7") <= 101 for _ in range(5))


def test_the_demo_leaves_out_domains_in_which_another_user_has_left_files(tmp_path, monkeypatch):
    for domain in range(1, 100):
        (tmp_path / f"fastrtps_port{7400 + 250 * domain + 11}").touch()
    (tmp_path / "fastrtps_port7411_el").touch()
    monkeypatch.setattr(processes, "_SHARED_MEMORY", tmp_path)
    monkeypatch.setattr(processes.os, "access", lambda *_: False)
    assert {free_domain("100") for _ in range(5)} == {101}


# Command line


@pytest.fixture(autouse=True)
def keep_signal_handler():
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


def test_help_names_the_commands(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert all(command in text for command in ("fetch-models", "demo", "export"))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["demo", "nowhere.mp4"], "'nowhere.mp4' does not exist"),
        (["demo", "photo.png", "--camera", "1,2"], "'1,2' is neither"),
        (["demo", "photo.png", "--camera", "0,1,2,3"], "fx is 0.0"),
        (["demo", "--camera", "600,600,320,240"], "--camera needs a SOURCE"),
    ],
)
def test_expected_failures_have_a_reason_and_no_traceback(
    arguments, reason, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("photo.png", picture())
    assert cli.main([*arguments, "--out", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert reason in error
    assert "Traceback" not in error


def test_missing_models_are_a_reason(tmp_path, monkeypatch, capsys):
    pytest.importorskip("ament_index_python")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    assert cli.main(["demo", "--out", str(tmp_path)]) == 1
    assert "fetch-models" in capsys.readouterr().err


@pytest.mark.parametrize("below", ["", "deeper/out"])
def test_a_file_in_place_of_the_output_folder_is_told(tmp_path, below):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(DemoError, match=rf"{tmp_path}/out is a file.*--out"):
        prepare(tmp_path / "out" / below / "logs")


def test_an_output_folder_that_cannot_be_made_is_told_before_any_work():
    if not Path("/proc/self").exists():
        pytest.skip("needs /proc")
    with pytest.raises(DemoError, match=r"/proc/out cannot be written: .*--out"):
        prepare(Path("/proc/out/logs"))


# All of it


@pytest.fixture
def ros(models):
    """Skip where the demo cannot run."""
    pytest.importorskip("rclpy")
    try:
        installed_node()
    except DemoError as reason:
        pytest.skip(str(reason))


def test_fast_dds_takes_the_profiles(ros, tmp_path):
    """Images get lost on the way when its shared memory is smaller than they are."""
    if os.environ.get("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp") != "rmw_fastrtps_cpp":
        pytest.skip("another DDS is in use")
    _, profiles = installed_node()
    command = [sys.executable, "-m", "hamer_ros.demo.client_process", "--events", str(tmp_path)]
    command += ["--recording", str(tmp_path / "seen.pickle")]
    with ProcessGroup() as group:
        client = group.start(
            "client", command, isolated_environment(os.environ, profiles), tmp_path
        )
        group.wait_until(
            lambda: any(file.stat().st_size >= 2**26 for file in client.shared_memory),
            "a segment of 64 MB",
            20,
        )


def test_the_demo_over_dds(ros, tmp_path, capfd):
    status = cli.main(["demo", "--seconds", "1.5", "--out", str(tmp_path)])
    printed = capfd.readouterr()
    assert status == 0, printed.err
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["sent"] == 45
    assert report["processed"] >= 5  # on a busy machine; all of them on an idle one
    assert report["failures"] == []
    assert report["hands"] >= 2 * report["processed"] - 1
    assert report["tf_complete"] == report["with_hands"]
    accuracy = report["accuracy"]
    assert accuracy["found"] >= 0.98
    assert accuracy["handedness_right"] >= 0.98
    assert 0.0 < accuracy["pa_mpjpe_mean"] <= 7.0
    assert 0.0 < accuracy["mpjpe_mean"] < 150.0
    assert 0.0 < report["latency_p50"] <= report["latency_p99"]
    assert report["cpu_per_frame"] > 1.0
    assert f"45 sent, {report['processed']} processed" in printed.out
    assert f"p50 {report['latency_p50']:.1f} ms" in printed.out
    assert (tmp_path / "contact_sheet.jpg").stat().st_size > 10_000
    assert cv2.VideoCapture(str(next(tmp_path.glob("hands.*")))).read()[0]
