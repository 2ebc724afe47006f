"""The file in which the lengths of people's hands are kept.

    ann:
      left: {length: 0.18, sigma: 0.01}     # metres, and the relative standard deviation

People edit it by hand, so what is wrong in it is named with its line.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from hamer_ros.errors import ConfigurationError, FileFormatError
from hamer_ros.hands import Handedness
from hamer_ros.placement.hand_length_measurement import check_length
from hamer_ros.placement.size import STATED_SIGMA, Size, stated_size

_LAYOUT = "it is `NAME: {left: {length: 0.18, sigma: 0.01}}`"
_REMEDY = "; correct it, or remove the file and calibrate again"


def check_person(name: str) -> None:
    """Raise unless lengths can be kept under a name.

    Raises:
        ConfigurationError: it is empty, or holds what cannot be seen.
    """
    if not name.strip() or name != name.strip() or not name.isprintable():
        raise ConfigurationError(
            f"person is {name!r}; it is a name without spaces around it, line breaks and the like"
        )


def load_sizes(path: Path, person: str) -> dict[Handedness, Size]:
    """The sizes that are kept of a person; empty where there are none.

    Raises:
        ConfigurationError: the file cannot be read.
        FileFormatError: it does not hold what `save_sizes` writes; the text names the line.
    """
    sizes = {}
    for name, hands in _fields(path, _root(path), "people"):
        if name.value != person:
            continue
        for handedness, values in _fields(path, hands, f"hands of '{person}'"):
            if handedness.value.upper() not in Handedness.__members__:
                raise _wrong(
                    path, handedness, f"'{handedness.value}' is no handedness; it is left or right"
                )
            sizes[Handedness[handedness.value.upper()]] = _size(path, handedness, values)
    return sizes


def save_sizes(path: Path, person: str, sizes: dict[Handedness, Size]) -> None:
    """Keep the sizes of a person beside those of others.

    Raises:
        ConfigurationError: the file cannot be read or written.
        FileFormatError: what is there does not hold people's hands; it is left as it is.
    """
    names = {handedness.name for handedness in sizes}
    others, earlier = [], []
    for name, hands in _fields(path, _root(path), "people"):
        fields = list(_fields(path, hands, "hands"))
        if name.value == person:
            earlier += [
                (handedness, size)
                for handedness, size in fields
                if handedness.value.upper() not in names
            ]
        else:
            others.append((name, hands))
    kept = {
        handedness.name.lower(): {"length": round(size.length, 5), "sigma": round(size.sigma, 5)}
        for handedness, size in sizes.items()
    }
    # What others have stays as nodes: as values, a person called 007 or no would get another name.
    everybody = _composed({person: kept})
    everybody.value[0][1].value[:0] = earlier
    everybody.value[:0] = others
    content = yaml.serialize(everybody, Dumper=yaml.SafeDumper, allow_unicode=True)
    partial = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(content, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error


def _root(path: Path) -> yaml.Node | None:
    """The file's content, with the lines of all parts; None where there is no file.

    Raises:
        ConfigurationError: the file cannot be read.
        FileFormatError: it is no YAML.
    """
    try:
        return yaml.compose(path.read_text(encoding="utf-8"), yaml.SafeLoader)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{path} is no text{_REMEDY}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = "" if mark is None else f", line {mark.line + 1}"
        raise FileFormatError(
            f"{path}{where}: {error.problem or error.context}{_REMEDY}"
        ) from error
    except yaml.YAMLError as error:
        raise FileFormatError(f"{path} is no text{_REMEDY}") from error


def _composed(values: dict) -> yaml.MappingNode:
    node = yaml.compose(yaml.safe_dump(values, allow_unicode=True), yaml.SafeLoader)
    assert isinstance(node, yaml.MappingNode)
    return node


def _fields(
    path: Path, node: yaml.Node | None, what: str
) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
    """The names in a mapping, and their values."""
    if node is None or (isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null")):
        return
    if not isinstance(node, yaml.MappingNode):
        raise _wrong(path, node, f"no {what} stand here; {_LAYOUT}")
    for name, value in node.value:
        if not isinstance(name, yaml.ScalarNode):
            raise _wrong(path, name, f"a name is needed; {_LAYOUT}")
        yield name, value


def _size(path: Path, handedness: yaml.ScalarNode, node: yaml.Node) -> Size:
    """The size of one hand."""
    values = {"sigma": STATED_SIGMA}
    for name, value in _fields(path, node, "length and sigma"):
        if name.value not in ("length", "sigma"):
            raise _wrong(path, name, f"'{name.value}' is unknown; known are length and sigma")
        try:
            values[name.value] = float(value.value)
        except (TypeError, ValueError):
            text = value.value if isinstance(value, yaml.ScalarNode) else "no number"
            raise _wrong(path, value, f"{name.value} is '{text}'; it is a number") from None
    if "length" not in values:
        raise _wrong(path, handedness, f"the {handedness.value} hand has no length; {_LAYOUT}")
    if (problem := check_length(values["length"])) is not None:
        raise _wrong(path, node, problem)
    if not 0 < values["sigma"] < 1:
        raise _wrong(path, node, f"sigma is {values['sigma']:g}; it is between 0 and 1, as 0.01")
    return stated_size(values["length"], values["sigma"])


def _wrong(path: Path, node: yaml.Node, text: str) -> FileFormatError:
    return FileFormatError(f"{path}, line {node.start_mark.line + 1}: {text}{_REMEDY}")
