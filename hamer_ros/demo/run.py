"""The demo: a camera, the installed node and a client, then figures and pictures."""

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

from hamer_ros.demo.clip import CAMERA, clip_length, clip_truths, render_clip
from hamer_ros.demo.intrinsics import GUESSED_FOV, CameraOfSize, parse_camera
from hamer_ros.demo.pictures import Show, write_pictures
from hamer_ros.demo.processes import Child, Children, DemoError, apart, workers
from hamer_ros.demo.records import Recording, SentFrame, read_recording, read_sent
from hamer_ros.demo.report import errors_of, failures, match, summarise, table, write_json
from hamer_ros.demo.signals import Event, Signals
from hamer_ros.demo.sources import Source, open_source
from hamer_ros.detection.detector import DetectorOptions
from hamer_ros.nets.store import NETS, net_path
from hamer_ros.rendering.clip import FRAME_RATE, HandTruth

PHOTO_MAX_HANDS = 16
"""As many as the node's parameter max_hands allows: a photograph may show a group."""

_START_SECONDS = 30.0
_LOOK_SECONDS = 20.0
"""How long overlay and markers may take to come: a group of 16 hands takes its time."""


@dataclass(frozen=True)
class Request:
    """What the user asks for.

    source: as `open_source` takes it, or None for the rendered clip.
    camera: as `parse_camera` takes it, or None.
    rate: frames per second, seconds: how much to play; None for what suits the source.
    out: folder for the report, the pictures and the logs.
    """

    source: str | None
    camera: str | None
    rate: float | None
    seconds: float | None
    out: Path


@dataclass(frozen=True)
class Session:
    """What a run left behind; cpu_seconds of the node while the frames were played."""

    sent: tuple[SentFrame, ...]
    recording: Recording
    cpu_seconds: float
    last_words: str
    complaints: tuple[str, ...]


@dataclass(frozen=True)
class Programme:
    """What is played, and what is known about it.

    arguments: of the camera process.
    camera: the intrinsics in words.
    truths: the hands of each frame, or None where they are not known.
    """

    source: Source
    arguments: list[str]
    camera_of_size: CameraOfSize
    camera: str
    truths: Sequence[Sequence[HandTruth]] | None

    @property
    def max_hands(self) -> int:
        """No more hands than this are followed."""
        return PHOTO_MAX_HANDS if self.source.stills else DetectorOptions().max_hands


def run_demo(request: Request) -> list[str]:
    """Run all of it; the reasons for which it failed, none when all is well.

    Raises:
        DemoError, SourceError, CameraError, HamerRosError: it could not be run; the message says
            what to do.
        OSError: a file cannot be written.
    """
    given = None if request.source is None else _given(request.source, request)
    if given is None and request.camera is not None:
        raise DemoError("the camera of the clip is known; --camera needs a SOURCE")
    node, profiles = installed_node()
    for name in NETS:
        net_path(name)
    out = request.out.resolve()
    logs = out / "logs"
    prepare(logs)
    with tempfile.TemporaryDirectory(prefix="hamer_ros-demo-") as scratch, workers() as pool:
        work = Path(scratch)
        programme = given or _rendered(request, work / "clip.npy", pool)
        # ROS would write its own logs into the home, which may be full or not ours.
        environment = apart(os.environ, profiles) | {"ROS_LOG_DIR": str(work / "ros")}
        session = _play(node, environment, programme, work, logs)
        source = programme.source
        frames = match(session.sent, session.recording)
        errors = None if programme.truths is None else errors_of(frames, programme.truths)
        report = summarise(
            source.name,
            programme.camera,
            programme.max_hands,
            frames,
            session.recording,
            session.cpu_seconds,
            errors,
        )
        reasons = failures(report)
        write_json(out / "report.json", report, reasons)
        print(f"\n{table(report)}\n", flush=True)
        for complaint in session.complaints:
            print(f"  the node says: {complaint}", flush=True)
        if source.live:  # what it showed is over; it was recorded
            source = open_source(str(_recording_path(work)), source.rate)
        show = Show(
            source, programme.camera_of_size, frames, session.recording, programme.truths, errors
        )
        with _progress("Drawing", None) as advance:
            notes = write_pictures(out, show, pool, advance)
    for note in [*notes, f"{logs}/  what the processes said"]:
        print(f"  {note}")
    if report.processed == 0:
        reasons.append(f"the node's last words:\n{session.last_words}")
    return reasons


def prepare(folder: Path) -> None:
    """Make a folder to write into, before any work that would be lost.

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


def _given(text: str, request: Request) -> Programme:
    """What the user wants to see."""
    source = open_source(text, request.rate, request.seconds)
    arguments = [text if source.live else str(Path(text).resolve())]
    told = (
        f"a guess of {GUESSED_FOV:.0f} degrees from left to right; distances depend on it: "
        "--camera tells the true one"
    )
    if request.camera is not None:
        told = request.camera
        is_file = Path(request.camera).is_file()
        arguments += ["--camera", str(Path(told).resolve()) if is_file else told]
    if request.rate is not None:
        arguments += ["--rate", str(request.rate)]
    if request.seconds is not None:
        arguments += ["--seconds", str(request.seconds)]
    return Programme(
        source, arguments, parse_camera(request.camera, source.orientations), told, None
    )


def _rendered(request: Request, path: Path, workers: Executor) -> Programme:
    """Render the clip, whose camera and hands are known."""
    n_frames = clip_length(request.seconds)
    with _progress("Rendering the clip", n_frames) as advance:
        render_clip(path, n_frames, workers, advance)
    source = open_source(str(path), request.rate or FRAME_RATE)
    arguments = [str(path), "--camera", CAMERA, "--rate", str(source.rate)]
    told = f"{CAMERA} (fx, fy, cx, cy), known"
    return Programme(source, arguments, parse_camera(CAMERA), told, clip_truths(n_frames))


def installed_node() -> tuple[Path, Path]:
    """The node's executable and Fast DDS' profiles, from wherever the package is installed.

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
    programme: Programme,
    work: Path,
    logs: Path,
) -> Session:
    signals = Signals(work)
    sent_log, seen_log = work / "sent.jsonl", work / "seen.pickle"
    sent_log.touch()
    ros = ["--ros-args", "-r", "image:=/camera/image_raw", "-r", "camera_info:=/camera/camera_info"]
    if programme.source.stills:
        ros += ["-p", "photographs:=true", "-p", f"max_hands:={programme.max_hands}"]
    python = [sys.executable, "-m"]
    common = ["--signals", str(work)]

    def given(event: Event) -> Callable[[], bool]:
        return lambda: signals.given(event)

    with Children() as children, sent_log.open() as sent_lines:
        print("==> Starting node, camera and client", flush=True)
        node = children.start("node", [str(node_executable), *ros], environment, logs)
        recorder = ["--log", str(sent_log), "--recording", str(_recording_path(work))]
        camera_command = [*python, "hamer_ros.demo.camera", *programme.arguments, *recorder]
        camera = children.start("camera", [*camera_command, *common], environment, logs)
        viewer_command = [*python, "hamer_ros.demo.viewer", "--recording", str(seen_log), *common]
        viewer = children.start("client", viewer_command, environment, logs)
        for event in (Event.CAMERA_READY, Event.CLIENT_READY):
            children.wait_until(given(event), "the node to become active", _START_SECONDS)

        with _progress("Playing", None) as advance:
            before = node.cpu_seconds
            signals.give(Event.PLAY)
            children.wait_until(
                given(Event.PLAYED),
                "the last frame",
                math.inf,
                tick=lambda: advance(sum(1 for _ in sent_lines)),
            )
            cpu_seconds = node.cpu_seconds - before

        signals.give(Event.LOOK)
        deadline = time.monotonic() + _LOOK_SECONDS
        children.wait_until(
            lambda: signals.given(Event.LOOKED) or time.monotonic() > deadline, "", math.inf
        )
        signals.give(Event.STOP)
        _end(camera, viewer)
    with sent_log.open() as lines:
        sent = read_sent(lines)
    recording = read_recording(seen_log)
    return Session(sent, recording, cpu_seconds, node.last_words(), node.complaints())


def _end(*children: Child) -> None:
    for child in children:
        child.wait()


def _recording_path(work: Path) -> Path:
    """Where the frames of a live camera are kept for the pictures."""
    return work / "recording.avi"


@contextmanager
def _progress(title: str, total: int | None) -> Iterator[Callable[[int], object]]:
    """Say what begins, show a bar where somebody looks, and say how long it took."""
    print(f"==> {title}", flush=True)
    begin = time.monotonic()
    with tqdm(total=total, unit=" frames", leave=False, disable=None) as bar:
        yield bar.update
    print(f"    done in {time.monotonic() - begin:.1f} s", flush=True)
