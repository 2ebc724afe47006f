"""Whatever the node says is odd is explained where people look it up."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()

SPEAKERS = {
    "saw": 0,
    "Remark": 0,
    "FrameRejectedError": 0,
    "CameraInfoError": 0,
    "DepthError": 0,
    "drop": 0,
    "dropped": 0,
}
"""Calls that say something -> which argument is the subject."""


def subjects() -> set[str]:
    """All subjects that the source speaks of, as they stand there."""
    found = set()
    for file in (ROOT / "hamer_ros").rglob("*.py"):
        if file.parts[-2] == "faults":
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            subject = node.args[SPEAKERS[name]] if name in SPEAKERS else None
            if isinstance(subject, ast.Constant) and isinstance(subject.value, str):
                found.add(subject.value)
    return found


def test_there_is_something_to_explain():
    assert {"no camera_info", "old stamps", "images lost", "bad image"} <= subjects()


@pytest.mark.parametrize("subject", sorted(subjects()))
def test_every_subject_is_explained(subject):
    assert f"`{subject}" in PAGE
