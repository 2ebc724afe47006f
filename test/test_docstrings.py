"""Docstrings begin with what a thing is or does, and do not send the reader elsewhere for it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(
    file for folder in ("bench", "hamer_ros", "tools") for file in (ROOT / folder).rglob("*.py")
)

OPENING = re.compile(r"(Of|Whether|What|How|As|Where|Which)\b")
"""Words that begin a clause of some other sentence."""

ELSEWHERE = re.compile(r"\bsee the (module|package)\b", re.IGNORECASE)


def text_of(statement: ast.stmt | None) -> str | None:
    """The string that a statement consists of."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return statement.value.value if isinstance(statement.value.value, str) else None
    return None


def documented(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of the docstrings of modules, classes, functions and constants."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        # Constants have theirs after the assignment, all others at the beginning of the body.
        before: ast.stmt | None = None
        for statement in node.body:
            text = text_of(statement)
            if text and (before is None or isinstance(before, ast.Assign | ast.AnnAssign)):
                yield statement.lineno, text
            before = statement


def faults(source: str) -> list[str]:
    return [
        f"line {line}: {' '.join(text.split())[:60]}"
        for line, text in documented(ast.parse(source))
        if OPENING.match(text.lstrip()) or ELSEWHERE.search(" ".join(text.split()))
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_docstrings_say_what_a_thing_is(file):
    assert not faults(file.read_text())


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ('"""How hands are found."""', 1),
        ('class A:\n    """\n    Of a hand."""', 2),
        ('def f():\n    """Whether it is so."""', 2),
        ('async def f():\n    """Which one."""', 2),
        ('class A:\n    def f(self):\n        """As the other."""', 3),
        ('A = 1\n"""What it is."""', 2),
        ('A: int = 1\n"""Where it is."""', 2),
        ('class A:\n    a = 1\n    """Of it."""', 3),
        ('def f():\n    """Find hands; see the\n    module for the scheme."""', 2),
    ],
)
def test_every_kind_of_docstring_is_looked_at(source, line):
    (fault,) = faults(source)
    assert fault.startswith(f"line {line}: ")


@pytest.mark.parametrize(
    "source",
    [
        '"""Hands."""',
        'A = "What it is."',
        'def f():\n    """Often so."""\n    return "Of it"',
        'def f():\n    """True if it is known which hand it is."""',
    ],
)
def test_other_texts_are_left_alone(source):
    assert not faults(source)
