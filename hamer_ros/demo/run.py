"""The demo: runs a camera, the installed node and a client, and writes figures and pictures."""

from __future__ import annotations

import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from hamer_ros.demo.intrinsics import GUESSED_FOV, CameraOfSize, parse_camera
from hamer_ros.demo.pictures import PictureContent, write_pictures
from hamer_ros.demo.process_events import Event, ProcessEvents
from hamer_ros.demo.processes import (
    DemoError,
    ManagedProcess,
    ProcessGroup,
    isolated_environment,
    workers,
)
from hamer_ros.demo.records import Recording, SentFrame, read_recording, read_sent
from hamer_ros.demo.rendered_source import CAMERA, clip_length, clip_truths, render_clip
from hamer_ros.demo.report import errors_of, failures, match, summarise, table, write_json
from hamer_ros.demo.sources import Source, open_source
from hamer_ros.detection import DetectorOptions
from hamer_ros.inference.model_store import MODELS, model_path
from hamer_ros.rendering.clip import FRAME_RATE, HandTruth

PHOTO_MAX_HANDS = 16
"""Number of hands followed on photographs, the largest max_hands: they may show a group."""

_START_SECONDS = 30.0
_PICTURES_SECONDS = 20.0
"""Seconds that overlay and markers may take to come: a group of 16 hands takes long."""


@dataclass(frozen=True)
class Request:
    """The user's options.

    source: as `open_source` takes it, or None for the rendered clip.
    camera: as `parse_camera` takes it, or None.
    rate: frames per second; None for the source's own.
    seconds: duration to play; None for the source's default.
    out: folder for the report, the pictures and the logs.
    """

    source: str | None
    camera: str | None
    rate: float | None
    seconds: float | None
    out: Path


@dataclass(frozen=True)
class Session:
    """The results of one run of the processes.

    cpu_seconds: processor time of the node while the frames were played.
    log_tail: last lines of the node's log.
    logged_problems: warnings and errors in the node's log.
    """

    sent: tuple[SentFrame, ...]
    recording: Recording
    cpu_seconds: float
    log_tail: str
    logged_problems: tuple[str, ...]


@dataclass(frozen=True)
class Playback:
    """The played source, and what is known about it.

    arguments: those of the camera process.
    camera: the intrinsics, for people.
    truths: the hands of each frame, or None where they are not known.
    """

    source: Source
    arguments: list[str]
    camera_of_size: CameraOfSize
    camera: str
    truths: Sequence[Sequence[HandTruth]] | None

    @property
    def max_hands(self) -> int:
        """The number of hands that are followed at most."""
        return PHOTO_MAX_HANDS if self.source.stills else DetectorOptions().max_hands


def run_demo(request: Request) -> list[str]:
    """Run the whole demo and return the reasons for which it failed, none when it did not.

    Raises:
        DemoError, SourceError, CameraError, HamerRosError: it could not be run; the message says
            what to do.
        OSError: a file cannot be written.
    """
    requested = None if request.source is None else _playback_of_source(request.source, request)
    if requested is None and request.camera is not None:
        raise DemoError("the camera of the clip is known; --camera needs a SOURCE")
    node, profiles = installed_node()
    for name in MODELS:
        model_path(name)
    out = request.out.resolve()
    logs = out / "logs"
    prepare(logs)
    with tempfile.TemporaryDirectory(prefix="hamer_ros-demo-") as scratch, workers() as pool:
        work = Path(scratch)
        playback = requested or _playback_of_clip(request, work / "clip.npy", pool)
        # By default ROS logs into the home folder, which may be full or read-only.
        environment = isolated_environment(os.environ, profiles) | {
            "ROS_LOG_DIR": str(work / "ros")
        }
        session = _play(node, environment, playback, work, logs)
        source = playback.source
        frames = match(session.sent, session.recording)
        errors = None if playback.truths is None else errors_of(frames, playback.truths)
        report = summarise(
            source.name,
            playback.camera,
            playback.max_hands,
            frames,
            session.recording,
            session.cpu_seconds,
            errors,
        )
        reasons = failures(report)
        write_json(out / "report.json", report, reasons)
        print(f"\n{table(report)}\n", flush=True)
        for problem in session.logged_problems:
            print(f"  the node says: {problem}", flush=True)
        if source.live:  # its recording is drawn
            source = open_source(str(_recording_path(work)), source.rate)
        content = PictureContent(
            source, playback.camera_of_size, frames, session.recording, playback.truths, errors
        )
        with _progress("Drawing", None) as advance:
            notes = write_pictures(out, content, pool, advance)
    for note in [*notes, f"{logs}/  what the processes said"]:
        print(f"  {note}")
    if report.processed == 0:
        reasons.append(f"the node's last words:\n{session.log_tail}")
    return reasons


def prepare(folder: Path) -> None:
    """Create a folder to write into, before any work that would be lost.

    Raises:
        DemoError: this user cannot, or a file has its name.
    """
    choose = "choose another folder by --out"
    for parent in (folder, *folder.parents):
        if parent.exists() and not parent.is_dir():
            raise DemoError(f"{parent} is a file, and a folder has to be made there; {choose}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for place in (folder.parent, folder):
            with tempfile.TemporaryFile(dir=place) as file:
                file.write(bytes(1))
    except OSError as error:
        raise DemoError(f"{folder.parent} cannot be written: {error.strerror}; {choose}") from error


def _playback_of_source(text: str, request: Request) -> Playback:
    """Return the playback of the user's source."""
    source = open_source(text, request.rate, request.seconds)
    arguments = [text if source.live else str(Path(text).resolve())]
    description = (
        f"a guess of {GUESSED_FOV:.0f} degrees from left to right; distances depend on it: "
        "--camera tells the true one"
    )
    if request.camera is not None:
        description = request.camera
        is_file = Path(request.camera).is_file()
        arguments += ["--camera", str(Path(description).resolve()) if is_file else description]
    if request.rate is not None:
        arguments += ["--rate", str(request.rate)]
    if request.seconds is not None:
        arguments += ["--seconds", str(request.seconds)]
    return Playback(
        source, arguments, parse_camera(request.camera, source.orientations), description, None
    )


def _playback_of_clip(request: Request, path: Path, workers: Executor) -> Playback:
    """Render the clip and return its playback, whose camera and hands are known."""
    n_frames = clip_length(request.seconds)
    with _progress("Rendering the clip", n_frames) as advance:
        render_clip(path, n_frames, workers, advance)
    source = open_source(str(path), request.rate or FRAME_RATE)
    arguments = [str(path), "--camera", CAMERA, "--rate", str(source.rate)]
    description = f"{CAMERA} (fx, fy, cx, cy), known"
    return Playback(source, arguments, parse_camera(CAMERA), description, clip_truths(n_frames))


def installed_node() -> tuple[Path, Path]:
    """Return the node's executable and Fast DDS' profiles, from wherever the package is installed.

    Raises:
        DemoError: there is no ROS, or the package is not installed in it.
    """
    advice = "build the package and source its workspace: source <workspace>/install/setup.bash"
    try:
        from ament_index_python.packages import (  # noqa: PLC0415 - only where ROS is
            PackageNotFoundError,
            get_package_prefix,
            get_package_share_directory,
        )
    except ImportError as error:
        raise DemoError(f"ROS 2 is not here ({error}); {advice}") from error
    try:
        prefix = Path(get_package_prefix("hamer_ros"))
        share = Path(get_package_share_directory("hamer_ros"))
    except PackageNotFoundError as error:
        raise DemoError(f"hamer_ros is not installed as a ROS package; {advice}") from error
    node = prefix / "lib" / "hamer_ros" / "hamer_node"
    if not node.is_file():
        raise DemoError(f"{node} does not exist; {advice}")
    return node, share / "config" / "fastdds.xml"


def _play(
    node_executable: Path,
    environment: dict[str, str],
    playback: Playback,
    work: Path,
    logs: Path,
) -> Session:
    events = ProcessEvents(work)
    sent_log, seen_log = work / "sent.jsonl", work / "seen.pickle"
    sent_log.touch()
    ros = ["--ros-args", "-r", "image:=/camera/image_raw", "-r", "camera_info:=/camera/camera_info"]
    if playback.source.stills:
        ros += ["-p", "photographs:=true", "-p", f"max_hands:={playback.max_hands}"]
    python = [sys.executable, "-m"]
    common = ["--events", str(work)]

    def is_set(event: Event) -> Callable[[], bool]:
        return lambda: events.is_set(event)

    with ProcessGroup() as group, sent_log.open() as sent_lines:
        print("==> Starting node, camera and client", flush=True)
        node = group.start("node", [str(node_executable), *ros], environment, logs)
        recorder = ["--log", str(sent_log), "--recording", str(_recording_path(work))]
        camera_command = [*python, "hamer_ros.demo.camera_process", *playback.arguments, *recorder]
        camera = group.start("camera", [*camera_command, *common], environment, logs)
        viewer_command = [
            *python,
            "hamer_ros.demo.client_process",
            "--recording",
            str(seen_log),
            *common,
        ]
        viewer = group.start("client", viewer_command, environment, logs)
        for event in (Event.CAMERA_READY, Event.CLIENT_READY):
            group.wait_until(is_set(event), "the node to become active", _START_SECONDS)

        with _progress("Playing", None) as advance:
            before = node.cpu_seconds
            events.set(Event.PLAY)
            group.wait_until(
                is_set(Event.PLAYED),
                "the last frame",
                math.inf,
                tick=lambda: advance(sum(1 for _ in sent_lines)),
            )
            cpu_seconds = node.cpu_seconds - before

        events.set(Event.PICTURES_WANTED)
        deadline = time.monotonic() + _PICTURES_SECONDS
        group.wait_until(
            lambda: events.is_set(Event.PICTURES_RECEIVED) or time.monotonic() > deadline,
            "",
            math.inf,
        )
        events.set(Event.STOP)
        _end(camera, viewer)
    with sent_log.open() as lines:
        sent = read_sent(lines)
    recording = read_recording(seen_log)
    return Session(sent, recording, cpu_seconds, node.log_tail(), node.logged_problems())


def _end(*group: ManagedProcess) -> None:
    for process in group:
        process.wait()


def _recording_path(work: Path) -> Path:
    """Return the file that keeps the frames of a live camera for the pictures."""
    return work / "recording.avi"


@contextmanager
def _progress(title: str, total: int | None) -> Iterator[Callable[[int], object]]:
    """Print a title, show a bar on a terminal, and print how long the block took."""
    print(f"==> {title}", flush=True)
    begin = time.monotonic()
    with tqdm(total=total, unit=" frames", leave=False, disable=None) as bar:
        yield bar.update
    print(f"    done in {time.monotonic() - begin:.1f} s", flush=True)
