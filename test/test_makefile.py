"""The Makefile and what it asks of a machine, without installing anything."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from hamer_ros.inference import pip

ROOT = Path(__file__).resolve().parent.parent
PIECES = ("Makefile", "CMakeLists.txt", "package.xml", "config", "hamer_ros", "launch", "msg")
PIECES += ("requirements", "scripts", "srv", "without_ros")


@pytest.fixture
def machine():
    """The script that checks the machine, as a module."""
    spec = spec_from_file_location("check_machine", ROOT / "requirements" / "check_machine.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def clone(tmp_path):
    """Make a folder that looks like a clone, at a path below tmp_path."""
    if shutil.which("make") is None:
        pytest.skip("needs make")

    def make(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        for piece in PIECES:
            (folder / piece).symlink_to(ROOT / piece)
        return folder

    return make


def make(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
    """Run make as where no ROS is sourced, with a home of its own."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG")}
    home = {"HOME": str(folder.parent / "home"), "MAKEFLAGS": ""}
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env={**kept, **home, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def environment_of(dry_run: str) -> str:
    """Where a dry run of make would make the Python environment."""
    (line,) = [line for line in dry_run.splitlines() if " -m venv" in line]
    return line.rpartition(" -m venv")[2].split('"')[1]


def test_in_a_plain_path_all_is_made_in_the_folder(clone):
    folder = clone("ws/hamer_ros-1.0")
    assert environment_of(make(folder, "-n", "setup").stdout) == f"{folder}/.venv"


@pytest.mark.parametrize("name", ["mit Leerzeichen", "руки", "手", "it's", "a&b", "c++", "a(b)"])
def test_in_a_path_that_colcon_or_cmake_cannot_take_all_is_made_in_the_cache(clone, name):
    folder = clone(name)
    where = environment_of(make(folder, "-n", "setup").stdout)
    assert where.startswith(f"{folder.parent}/home/.cache/hamer_ros/built/")
    assert where.endswith("/venv")
    assert where.isascii()
    assert where != environment_of(make(clone(f"{name}2 "), "-n", "setup").stdout)
    assert where.removesuffix("/venv") in make(folder, "-n", "clean").stdout


def test_where_the_cache_has_no_plain_path_either_nothing_is_installed(clone):
    folder = clone("two words")
    run = make(folder, "setup", XDG_CACHE_HOME=f"{folder}/my cache")
    assert run.returncode != 0
    assert "nothing was installed: building needs a path of ASCII letters" in run.stderr
    assert not (folder / ".venv").is_symlink()
    assert not (folder / ".venv").exists()


def made(folder: Path) -> None:
    """Leave what a finished `make setup build` leaves, as far as make looks at it."""
    venv, colcon = folder / ".venv", folder / ".colcon"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(sys.executable)
    (venv / "bin" / "activate").write_text(f"VIRTUAL_ENV={venv}\n")
    (colcon / "src" / "hamer_ros").mkdir(parents=True)
    (colcon / "src" / "hamer_ros" / "msg").symlink_to(folder / "msg")
    for stamp in ("made-for-ros-from-wheels", "ros-installed", "run-installed"):
        (venv / stamp).touch()
    (colcon / "built").touch()


def test_what_is_made_is_not_made_again(clone):
    folder = clone("here")
    made(folder)
    assert " -m venv" not in make(folder, "-n", "setup").stdout


def test_after_the_folder_was_moved_all_is_made_anew(clone):
    folder = clone("here")
    made(folder)
    moved = folder.rename(folder.parent / "there")
    assert environment_of(make(moved, "-n", "setup").stdout) == f"{moved}/.venv"


def test_a_copy_of_the_folder_builds_its_own(clone):
    folder = clone("here")
    made(folder)
    copy = shutil.copytree(folder, folder.parent / "copy", symlinks=True)
    assert environment_of(make(copy, "-n", "setup").stdout) == f"{copy}/.venv"


def test_when_the_python_it_was_made_with_is_gone_all_is_made_anew(clone):
    folder = clone("here")
    made(folder)
    (folder / ".venv" / "bin" / "python").unlink()
    (folder / ".venv" / "bin" / "python").symlink_to("/usr/bin/python-that-is-gone")
    assert environment_of(make(folder, "-n", "setup").stdout) == f"{folder}/.venv"


def test_without_a_python_the_packages_are_named(clone):
    run = make(clone("here"), "setup", PYTHON="python9")
    assert "there is no python9" in run.stderr
    assert "sudo apt install python3-venv python3-dev g++" in run.stderr


# What a machine must have


def test_this_machine_is_good_enough(machine):
    assert machine.reason("") is None


def test_a_python_that_is_too_old_is_told(machine, monkeypatch):
    monkeypatch.setattr(machine.sys, "version_info", (3, 8, 10, "final", 0))
    assert "is Python 3.8, and 3.10 or newer is needed" in machine.reason("")


@pytest.mark.parametrize("missing", ["the module venv", "Python's headers", "a C++ compiler"])
def test_what_is_missing_is_told_with_its_package(machine, monkeypatch, missing):
    monkeypatch.setattr(
        machine, "found", lambda: {what: what != missing for what in machine.PACKAGES}
    )
    assert machine.reason("").startswith(f"this machine lacks {missing};")
    assert machine.reason("").endswith(f"sudo apt install {machine.PACKAGES[missing]}")


def test_a_folder_that_may_not_be_written_is_told(machine, monkeypatch, tmp_path):
    monkeypatch.setattr(machine.os, "access", lambda folder, _: folder != str(tmp_path))
    assert machine.reason(str(tmp_path)).startswith(f"you may not write into {tmp_path};")


def test_a_disk_without_room_is_told(machine, monkeypatch):
    usage = namedtuple("Usage", "free")
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: usage(300e6))
    assert "has 300 MB left, and installing takes 1.5 GB" in machine.reason("")


# pip


def said(monkeypatch, text: str, status: int = 1) -> None:
    """Let pip print a text and end."""
    code = f"import sys; print({text!r}); sys.exit({status})"
    popen = subprocess.Popen
    monkeypatch.setattr(
        pip.subprocess,
        "Popen",
        lambda _, **options: popen([sys.executable, "-c", code], **options),
    )


NO_NETWORK = """\
WARNING: Retrying (Retry(total=4, connect=None, read=None, redirect=None, status=None)) after \
connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object \
at 0x7f>: Failed to establish a new connection: [Errno -3] Temporary failure in name resolution')'
ERROR: Could not find a version that satisfies the requirement onnx==1.23.2 (from versions: none)
ERROR: No matching distribution found for onnx==1.23.2
"""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (NO_NETWORK, "pip cannot reach its package index (is there a network?)"),
        ("ERROR: Could not install: [Errno 28] No space left on device", "the disk is full; make"),
        ("/usr/bin/python3: No module named pip", "has no pip: install it"),
        ("WARNING: aside\nERROR: No matching distribution found for x", "No matching distribution"),
    ],
)
def test_pip_fails_with_one_sentence(monkeypatch, capsys, text, reason):
    said(monkeypatch, text)
    assert pip.main(["install", "x"]) == 1
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


def test_of_pip_only_what_takes_long_is_told(monkeypatch, capsys):
    said(
        monkeypatch,
        "Collecting x\n  Downloading x-1-py3.whl (12 kB)\n  Downloading y-1-py3.whl (30.2 MB)\n"
        "WARNING: aside\nInstalling collected packages: x, y\nSuccessfully installed x y",
        status=0,
    )
    assert pip.main(["install", "x"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "    Downloading y-1-py3.whl (30.2 MB)\n    unpacking\n"
    assert printed.err == ""


def test_the_check_can_be_read_by_the_old_python_that_it_is_to_refuse():
    source = (ROOT / "requirements" / "check_machine.py").read_text()
    ast.parse(source, feature_version=(3, 7))
