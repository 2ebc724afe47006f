"""Whatever the node says is odd is explained where people look it up."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()

SPEAKERS = {
    "note": 0,
    "Remark": 0,
    "FrameRejectedError": 0,
    "CameraInfoError": 0,
    "DepthError": 0,
    "drop": 0,
    "dropped": 0,
    "reject": 0,
    "_note": 0,
}
"""Calls that say something -> which argument is the subject."""

SOURCES = [ast.parse(file.read_text()) for file in (ROOT / "hamer_ros").rglob("*.py")]


def text_of(node: ast.AST | None) -> str | None:
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return node.value if is_text else None


def named_texts(tree: ast.Module) -> dict[str, str]:
    """Names that a text is assigned to, anywhere in a module."""
    return {
        target.id: text
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and (text := text_of(node.value)) is not None
        for target in node.targets
        if isinstance(target, ast.Name)
    }


CONSTANTS = {
    name: text for tree in SOURCES for name, text in named_texts(tree).items() if name.isupper()
}


def subjects() -> set[str]:
    """All subjects that the source speaks of, as they stand there or under a name."""
    found = set()
    for tree in SOURCES:
        named = CONSTANTS | named_texts(tree)
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            subject = node.args[SPEAKERS[name]] if name in SPEAKERS else None
            text = named.get(subject.id) if isinstance(subject, ast.Name) else text_of(subject)
            if text is not None:
                found.add(text)
    return found


def test_there_is_something_to_explain():
    assert {"no camera_info", "old stamps", "images lost", "bad image"} <= subjects()
    assert {"newer image came", "unknown parameters", "internal error"} <= subjects()


@pytest.mark.parametrize("subject", sorted(subjects()))
def test_every_subject_is_explained(subject):
    assert f"`{subject}" in PAGE
