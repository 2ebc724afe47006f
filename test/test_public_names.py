"""The public names: what `import hamer_ros` offers, and how little it costs."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hamer_ros

HEAVY = {"cv2", "numpy", "onnxruntime", "torch", "yaml"}


def loaded_by(code: str) -> set[str]:
    """The heavy packages that are there after some code has run in a fresh Python."""
    code += f"\nimport sys; print(*({HEAVY!r} & sys.modules.keys()))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_importing_the_package_loads_nothing_heavy():
    assert loaded_by("import hamer_ros; hamer_ros.__version__; dir(hamer_ros)") == set()


def test_a_public_name_loads_what_it_needs_and_no_more():
    assert loaded_by("import hamer_ros; hamer_ros.HamerRosError") == set()
    assert loaded_by("import hamer_ros; hamer_ros.CameraModel") == {"numpy"}


def test_messages_load_nothing_but_what_their_generated_code_does():
    pytest.importorskip("hamer_ros.msg", reason="needs the built messages")
    assert loaded_by("import hamer_ros.msg, hamer_ros.srv") <= {"numpy"}


def test_every_public_name_is_there_and_is_that_of_its_module():
    for name in hamer_ros.__all__:
        value = getattr(hamer_ros, name)
        if name != "__version__":
            module = importlib.import_module(value.__module__)
            assert getattr(module, name) is value


def test_dir_lists_the_public_names_before_they_are_used():
    code = "import hamer_ros; print(*dir(hamer_ros))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(hamer_ros.__all__) <= set(run.stdout.split())


def test_a_star_import_takes_the_public_names_alone():
    names: dict[str, object] = {}
    exec("from hamer_ros import *", names)
    assert names.keys() - {"__builtins__"} == set(hamer_ros.__all__)


def test_another_name_is_refused_as_of_any_module():
    with pytest.raises(AttributeError, match="module 'hamer_ros' has no attribute 'HandPipe'"):
        _ = hamer_ros.HandPipe
    with pytest.raises(ImportError, match="cannot import name 'HandPipe'"):
        exec("from hamer_ros import HandPipe")


def test_type_checkers_see_the_very_names_that_are_imported_when_asked_for():
    tree = ast.parse(Path(hamer_ros.__file__).read_text())
    (block,) = (
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    seen = {
        alias.name: statement.module.removeprefix("hamer_ros.")
        for statement in block.body
        for alias in statement.names
    }
    assert seen == hamer_ros._MODULES
    assert sorted(seen) == sorted(set(hamer_ros.__all__) - {"__version__"})


def test_all_errors_of_the_family_are_public():
    errors = Path(hamer_ros.__file__).with_name("errors.py").read_text()
    assert set(re.findall(r"^class (\w+)", errors, re.M)) <= set(hamer_ros.__all__)


def test_the_package_is_installed_as_typed():
    assert Path(hamer_ros.__file__).with_name("py.typed").exists()
