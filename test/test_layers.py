"""No module imports from a layer above its own, and none from one that imports it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

LAYERS = (
    "errors",
    "interrupt",
    "files",
    "geometry",
    "camera",
    "shared_errors",
    "hands",
    "handedness",
    "visibility",
    "square_pixels",
    "hand_model",
    "inference",
    "networks",
    "detection",
    "hamer",
    "estimation",
    "placement",
    "tracking",
    "pipeline",
    "rendering",
    "ros",
    "program",
    "demo",
    "cli",
    "__main__",
)
"""The parts of the package, from those that know nothing of the others upward."""

GENERATED = {"msg", "srv"}
"""Made from messages; nothing of ours is in them."""


def name_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(file: Path) -> set[str]:
    """Modules of the package that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hamer_ros"):
            for alias in node.names:
                path = ROOT.joinpath(*node.module.split("."), alias.name)
                is_module = path.is_dir() or path.with_suffix(".py").exists()
                found.add(f"{node.module}.{alias.name}" if is_module else node.module)
        elif isinstance(node, ast.Import):
            found |= {a.name for a in node.names if a.name.startswith("hamer_ros")}
    return found


GRAPH = {name_of(file): imports(file) for file in sorted((ROOT / "hamer_ros").rglob("*.py"))}


def part(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_every_part_has_a_layer():
    assert {part(module) for module in GRAPH} - {""} == set(LAYERS)


@pytest.mark.parametrize("module", [module for module in GRAPH if part(module)])
def test_imports_point_downward(module):
    height = LAYERS.index(part(module))
    upward = {
        imported
        for imported in GRAPH[module]
        if part(imported) not in GENERATED and LAYERS.index(part(imported)) > height
    }
    assert not upward


def test_the_documentation_has_them_with_the_lowest_at_the_bottom():
    page = (ROOT / "docs" / "design.md").read_text()
    table = page.partition("| package | knows |")[2].partition("\n\n")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == LAYERS[::-1]


def test_there_are_no_circles():
    """Not even of imports that are put off until they are needed."""
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join((*way[way.index(module) :], module))
        if module not in done:
            for imported in GRAPH.get(module, ()):
                visit(imported, (*way, module))
            done.add(module)

    for module in GRAPH:
        visit(module, ())


@pytest.mark.parametrize("folder", ["bench", "examples", "test", "tools"])
def test_the_package_needs_nothing_that_lies_beside_it(folder):
    for file in (ROOT / "hamer_ros").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            assert not any(name.split(".")[0] == folder for name in names), file
