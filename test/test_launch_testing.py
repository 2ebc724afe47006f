"""The launch tests that are written for launch_testing, where it exists."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("launch_ros", reason="launch_ros has no wheel")
pytest.importorskip("launch_testing", reason="launch_testing has no wheel")
pytest.importorskip("hamer_ros.msg", reason="needs the built messages")

from hamer_ros.demo.processes import free_domain

LAUNCH_TESTS = sorted(Path(__file__).parent.glob("*_launch_test.py"))


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("file", LAUNCH_TESTS, ids=lambda file: file.stem)
def test_launch_test(file, tmp_path):
    own = {"ROS_DOMAIN_ID": str(free_domain("0")), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    ended = subprocess.run(
        [sys.executable, "-m", "launch_testing.launch_test", str(file)],
        env={**os.environ, **own},
        cwd=tmp_path,  # with -m Python looks for modules there first: there are none
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
