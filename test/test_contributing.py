"""CONTRIBUTING.md says what is so: commands, files, the methods to write and where to register."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

from bench.run import AREAS
from hamer_ros.detection import DETECTORS, DetectorFactory, DetectorOptions
from hamer_ros.detection.detector import Detector
from hamer_ros.estimation import ESTIMATORS
from hamer_ros.estimation.estimator import Estimator
from hamer_ros.hamer.load_estimator import HamerOptions
from hamer_ros.inference.device import Device

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()


def section(title: str) -> str:
    return re.search(rf"^## {title}$(.*?)(?=^## |\Z)", TEXT, re.M | re.S)[1]


def members(code: str) -> list[str]:
    """Fields and methods, as they are written in a class or outside of one."""
    statements = ast.parse(code).body
    if isinstance(statements[0], ast.ClassDef):
        statements = statements[0].body
    kept = []
    for statement in statements:
        if isinstance(statement, ast.FunctionDef):
            statement.body = [ast.Expr(ast.Constant(...))]
        if isinstance(statement, ast.FunctionDef | ast.AnnAssign):
            kept.append(ast.unparse(statement))
    return kept


@pytest.mark.parametrize(
    ("title", "protocol"), [("A new detector", Detector), ("A new estimator", Estimator)]
)
def test_the_methods_to_write_are_those_of_the_protocol(title, protocol):
    (code,) = re.findall(r"```python\n(.*?)```", section(title), re.S)
    assert members(code) == members(inspect.getsource(protocol))


def test_what_a_factory_is_called_with_is_named():
    assert DetectorFactory.__args__[:-1] == (DetectorOptions, Device, int)
    assert "`DetectorOptions`, a `Device` and a number of threads" in " ".join(
        section("A new detector").split()
    )
    (option,) = inspect.signature(ESTIMATORS["hamer"]).parameters.values()
    assert option.annotation == HamerOptions.__name__
    assert f"`{HamerOptions.__name__}`" in section("A new estimator")


@pytest.mark.parametrize(
    ("title", "name", "registry"),
    [
        ("A new detector", "DETECTORS", DETECTORS),
        ("A new estimator", "ESTIMATORS", ESTIMATORS),
    ],
)
def test_the_registry_is_where_it_is_said_to_be(title, name, registry):
    (file,) = re.findall(rf"`{name}` in\s+`(.+?)`", section(title))
    assert re.search(rf"^{name}\b", (ROOT / file).read_text(), re.M)
    assert f"`{next(iter(registry))}`" in section("A new detector")


def test_every_command_of_make_is_a_target():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^\.PHONY: (\w+)$", makefile, re.M))
    named = set(re.findall(r"\bmake ([a-z]+)\b", TEXT))
    assert {"build", "test", "lint", "demo", "bench"} <= named <= targets
    areas = set(re.findall(r"AREA=(\w+)", TEXT))
    assert areas
    assert areas <= AREAS.keys()


def test_every_file_that_is_named_is_there():
    linked = re.findall(r"\]\((.+?)\)", TEXT)
    quoted = re.findall(r"`([\w./]+/[\w./]*)`", TEXT)
    assert len(linked) > 4
    assert len(quoted) > 5
    assert [name for name in linked + quoted if not (ROOT / name).exists()] == []


def test_the_layout_has_every_folder():
    tree = re.search(r"```\n(.*?)```", section("Layout"), re.S)[1]
    above = ""
    drawn = set()
    for line in tree.splitlines():
        names = re.match(r" *((?:[\w.]+/? )+)", line)[1].split()
        above = above if line.startswith(" ") else ""
        drawn |= {above + name for name in names}
        above = above or names[0]
    assert [name for name in drawn if not (ROOT / name).exists()] == []
    folders = {f"{folder.name}/" for folder in ROOT.iterdir() if (folder / "__init__.py").exists()}
    assert folders <= drawn
