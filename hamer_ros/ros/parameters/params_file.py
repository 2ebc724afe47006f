"""Checks of ROS 2 parameter files before they are used.

    /hamer:                 # the section: a node's full name, or a pattern such as /**
      ros__parameters:
        max_hands: 2

What rcl cannot read ends a process with a traceback, and what it reads but gives to no node is
ignored without a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from hamer_ros.errors import ConfigurationError, FileFormatError
from hamer_ros.files.kinds import user_file
from hamer_ros.ros.parameters.ros_arguments import try_arguments

PARAMETERS = "ros__parameters"
"""Key between a node's name and its parameters."""
_LAYOUT = f"values stand below a node's name and {PARAMETERS}, as in config/hamer.yaml"


def check(path: Path) -> None:
    """Check that rcl can read a parameter file.

    Raises:
        MissingFileError: it does not exist.
        ConfigurationError: it may not be read.
        FileFormatError: it is of another kind, with the line where that is known.
    """
    user_file(path.absolute(), "a file of parameters")  # absolute: rcl does not know "~", either
    if (problem := _problem_of_rcl(path)) is not None:
        _content(path)  # raises with better words, where the YAML itself is broken
        hint = f"; {_LAYOUT}" if PARAMETERS in problem else ""
        raise FileFormatError(f"{path}: {problem}{hint}")


def named_in(arguments: Sequence[str]) -> list[Path]:
    """Return the parameter files that command-line arguments name."""
    return [Path(value) for name, value in pairwise(arguments) if name == "--params-file"]


def not_for(path: Path, node: str) -> str | None:
    """Return why nothing in a file that rcl has read is for a node; None where something is.

    A file with a section for the node of another camera need not have one for this node, too.

    node: its full name.

    Raises:
        ConfigurationError, FileFormatError: the file has changed, or rcl alone can read it.
    """
    content = _content(path)
    sections = list(_sections("", content if isinstance(content, dict) else {}))
    if not sections or any(_is_for(s, node) or _are_siblings(s, node) for s in sections):
        return None
    return (
        f"{path} has no section for '{node}', only for {', '.join(sections)}: all its parameters "
        f"have their defaults; a section is called by the node's full name, or /**"
    )


def _content(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{path} is no text; a YAML file of parameters is needed") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = "" if mark is None else f", line {mark.line + 1}, column {mark.column + 1}"
        raise FileFormatError(f"{path}{where}: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise FileFormatError(f"{path}: {' '.join(str(error).split())}") from error


def _problem_of_rcl(path: Path) -> str | None:
    """Return rcl's error about a file, whose YAML is narrower than PyYAML's; None without one."""
    try:
        try_arguments(["--ros-args", "--params-file", str(path)])
    except ConfigurationError as error:
        return str(error).partition(". Error: ")[2] or str(error)
    return None


def _sections(above: str, content: dict) -> Iterator[str]:
    """Yield the names and patterns of the nodes that a file has parameters for."""
    for name, below in content.items():
        if name == PARAMETERS:
            yield above
        elif isinstance(below, dict):
            yield from _sections(f"{above}/{str(name).strip('/')}", below)


def _is_for(section: str, node: str) -> bool:
    """True if rcl gives the parameters of a section to a node."""
    pattern = re.escape(section).replace(r"/\*\*", r"(/\w+)*").replace(r"\*", r"\w+")
    return re.fullmatch(pattern, node) is not None


def _are_siblings(section: str, node: str) -> bool:
    """True if both are nodes of the same name, each in the namespace of its camera."""
    one, other = section.split("/"), node.split("/")
    return one[-1] == other[-1] and len(one) == len(other)
