"""What a user reads of the command line tool: help, mistakes, interrupts, pipes and full disks."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from hamer_ros import cli
from hamer_ros.inference import model_store as store
from hamer_ros.interrupt import quiet
from hamer_ros.program import error_text, join_negative_values

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def keep_signal_handlers():
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def environment(**changes: str) -> dict[str, str]:
    """Ours, but for buffering: what a shell gives."""
    return {**os.environ, **changes, "PYTHONUNBUFFERED": ""}


def test_help_tells_how_ros_runs_the_node_and_the_camera(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    text = capsys.readouterr().out
    for command in (
        "ros2 launch hamer_ros hamer.launch.py image_topic:=",
        "ros2 launch hamer_ros demo.launch.py",
        "ros2 run hamer_ros hamer_node",
        "ros2 run hamer_ros hamer_camera",
    ):
        assert command in text


# Mistakes


@pytest.mark.parametrize(
    ("camera", "reason"),
    [
        ("-1,0,a,b", "camera '-1,0,a,b' is neither"),
        ("-1,600,320,240", "fx is -1.0"),
        ("-.5,600,320,240", "fx is -0.5"),
        ("-600", "camera '-600' is neither"),
    ],
)
def test_a_camera_with_a_minus_is_refused_in_our_words(
    camera, reason, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("photo.png", np.zeros((48, 64, 3), np.uint8))
    assert cli.main(["demo", "photo.png", "--camera", camera]) == 1
    error = capsys.readouterr().err
    assert reason in error
    assert "usage" not in error


def test_only_values_are_joined_to_their_options():
    arguments = ["demo", "--camera", "-1,2", "--rate", "5", "-1", "--force", "--cache", "-x"]
    assert join_negative_values(arguments) == [
        "demo",
        "--camera=-1,2",
        "--rate",
        "5",
        "-1",
        "--force",
        "--cache",
        "-x",
    ]


@pytest.mark.parametrize("value", ["abc", "0", "-5", "nan", "inf", ""])
@pytest.mark.parametrize("option", ["--rate", "--seconds"])
def test_a_rate_or_time_that_is_no_positive_number_is_refused_in_words(option, value, capsys):
    with pytest.raises(SystemExit):
        cli.main(["demo", option, value])
    assert f"argument {option}: '{value}' is not a positive number" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "/x/y"),
            "/x/y: No space left on device; ",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "/x"),
            "/x: Permission denied; make it",
        ),
        (OSError(errno.EROFS, "Read-only file system", "/x"), "/x: Read-only file system; make it"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
        (OSError("of our own"), "of our own"),
    ],
)
def test_errors_of_the_file_system_are_words(error, words):
    assert error_text(error).startswith(words)
    assert "Errno" not in error_text(error)


# fetch-models


def test_a_cache_without_a_name_is_refused(capsys):
    assert cli.main(["fetch-models", "--cache", ""]) == 1
    assert "--cache needs a folder" in capsys.readouterr().err


def test_fetch_models_takes_a_cache_and_force(tmp_path, monkeypatch):
    monkeypatch.setenv(store.CACHE_VARIABLE, "elsewhere")
    monkeypatch.chdir(tmp_path)
    asked = []

    def fetch_models(force, download):
        asked.append((store.cache_folder(), force))

    monkeypatch.setattr(store, "fetch_models", fetch_models)
    assert cli.main(["fetch-models", "--cache", "mine"]) == 0
    assert cli.main(["fetch-models", "--force"]) == 0
    assert asked == [(tmp_path / "mine", False), (tmp_path / "mine", True)]


def test_fetch_models_without_a_home_folder_says_what_to_set(monkeypatch, capsys):
    for name in (store.CACHE_VARIABLE, "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    assert cli.main(["fetch-models"]) != 0
    assert "no home folder is known; set HOME or XDG_CACHE_HOME" in capsys.readouterr().err


# Pipes and full disks


def test_a_reader_that_has_read_enough_ends_it_without_a_word():
    read, write = os.pipe()
    os.close(read)
    run = subprocess.run(
        [sys.executable, "-m", "hamer_ros", "--help"],
        stdout=write,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=environment(),
        check=False,
    )
    os.close(write)
    assert (run.returncode, run.stderr) == (128 + signal.SIGPIPE, b"")


def test_output_that_does_not_fit_on_the_disk_is_told():
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    with Path("/dev/full").open("w") as full:
        run = subprocess.run(
            [sys.executable, "-m", "hamer_ros", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment(),
            check=False,
        )
    assert run.returncode == 1
    assert run.stderr.startswith("hamer_ros: No space left on device")
    assert run.stderr.count("\n") == 1


# Interrupts


@pytest.mark.parametrize(
    ("script", "slow", "arguments"),
    [
        ("hamer_node", "rclpy", []),
        ("hamer_camera", "rclpy", []),
        ("hamer_ros", "tqdm", ["demo"]),
        ("hamer_ros", "tflite", ["fetch-models"]),
    ],
)
def test_an_interrupt_among_the_imports_ends_a_program_without_a_word(
    script, slow, arguments, tmp_path
):
    (tmp_path / f"{slow}.py").write_text(
        "import os, time\nos.write(1, b'importing')\ntime.sleep(60)\n"
    )
    variables = environment(
        PYTHONPATH=f"{tmp_path}:{ROOT}", HAMER_ROS_CACHE=str(tmp_path / "cache")
    )
    with subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / script), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=variables,
    ) as process:
        assert os.read(process.stdout.fileno(), 9) == b"importing"
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=20)
    assert (process.returncode, out, error) == (130, b"", b"")


def test_an_interrupt_that_is_ignored_stays_ignored(tmp_path):
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from hamer_ros.interrupt import heard, quiet_while_starting\n"
        "quiet_while_starting(); heard(); signal.raise_signal(signal.SIGINT); print('goes on')"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout == "goes on\n"


def test_after_the_imports_an_interrupt_is_heard_again():
    before = signal.getsignal(signal.SIGINT)
    with quiet():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_during_work_is_one_word(monkeypatch, capsys):
    def fetch_models(force, download):
        signal.raise_signal(signal.SIGINT)
        time.sleep(1)

    monkeypatch.setattr(store, "fetch_models", fetch_models)
    assert cli.main(["fetch-models"]) == 130
    assert capsys.readouterr().err == "interrupted\n"
