"""Whatever a process is doing, a signal ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

TIDY = """
import sys, time
from hamer_ros.ros.shutdown import ending_in_time
with ending_in_time():
    try:
        print("begun", flush=True)
        {work}
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    {after}
print("tidied up", flush=True)
"""

NATIVE = "import hashlib; hashlib.pbkdf2_hmac('sha256', b'a', b'b', 10**9)"
"""Ten minutes of native code, which no Python handler interrupts."""


def run(work: str, after: str = "pass") -> subprocess.Popen:
    code = TIDY.format(work=work, after=after)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=-1, stderr=-1, text=True)
    assert process.stdout.readline() == "begun\n"
    return process


def end_of(process: subprocess.Popen) -> tuple[str, str]:
    """What it says until its end, and what it complains of."""
    said, complaint = process.stdout.read(), process.stderr.read()
    process.wait(timeout=30)
    return said, complaint


def wait_until_busy(process: subprocess.Popen, seconds: float = 0.5) -> None:
    """Until it has computed for so long since now."""

    def ticks() -> int:
        return int(Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11])

    begin = ticks()
    while ticks() < begin + seconds * os.sysconf("SC_CLK_TCK"):
        time.sleep(0.01)


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM])
def number(request) -> Iterator[int]:
    return request.param


def test_python_is_interrupted_and_tidies_up(number):
    process = run("time.sleep(600)")
    process.send_signal(number)
    said, _ = end_of(process)
    assert said == "interrupted\ntidied up\n"
    assert process.returncode == 0


def test_native_code_is_ended_by_force(number):
    process = run(NATIVE)
    wait_until_busy(process)
    process.send_signal(number)
    said, complaint = end_of(process)
    assert said == ""
    assert "ended by force" in complaint
    assert process.returncode == 1


def test_a_second_signal_does_not_interrupt_the_tidying_up(number):
    process = run("time.sleep(600)", after="time.sleep(1)")
    process.send_signal(number)
    assert process.stdout.readline() == "interrupted\n"
    process.send_signal(number)
    said, _ = end_of(process)
    assert said == "tidied up\n"
    assert process.returncode == 0


def test_what_ends_by_itself_is_left_alone():
    process = run("pass")
    assert end_of(process)[0] == "tidied up\n"
    assert process.returncode == 0
