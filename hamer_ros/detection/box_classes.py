"""What the classes of a net of boxes are: hands of a side, hands of either side, or none."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from hamer_ros.errors import ConfigurationError
from hamer_ros.hands import Side

_LEFT = {"left", "l", "lh"}
_RIGHT = {"right", "r", "rh"}
_HAND = {"hand", "hands", "palm"}


def parse_names(text: str) -> tuple[str, ...]:
    """Names of the classes as Ultralytics writes them into a file: "{0: 'hand', 1: ...}".

    Raises ConfigurationError where the text is something else.
    """
    try:
        names = ast.literal_eval(text)
        if isinstance(names, dict):
            names = [names[i] for i in range(len(names))]
        return tuple(str(name) for name in names)
    except (ValueError, SyntaxError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"the file's metadata 'names' is no list of classes: {text[:80]!r}"
        ) from error


def hand_classes(names: Sequence[str] | None, n_classes: int | None) -> dict[int, Side | None]:
    """Index of each class that is a hand -> its side, None where the name does not tell.

    names: the names, where there are any; a word such as "left", "RH" or "hand" counts.
    n_classes: how many classes there are, where that is known; a single one is the hand, whatever
        its name.
    Raises ConfigurationError.
    """
    if names is None and n_classes != 1:
        raise ConfigurationError(
            "the file does not name its classes; name them in their order in detector_classes, for "
            "example left,right or, where the net does not tell the sides, hand"
        )
    if names is None or len(names) == 1:
        return {0: _side(names[0]) if names else None}
    words = [_words(name) for name in names]
    classes = {
        i: _side(name) for i, name in enumerate(names) if words[i] & (_HAND | _LEFT | _RIGHT)
    }
    if not classes:
        listed = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
        raise ConfigurationError(
            f"none of the classes is called left, right or hand: {listed}; name them in their "
            "order, a class that is no hand with any other word"
        )
    return classes


def person_class(names: Sequence[str] | None) -> int:
    """Index of the class of people: by name, or the first one, as in COCO.

    Raises ConfigurationError where there are names but none is "person".
    """
    if names is None:
        return 0
    lower = [name.lower() for name in names]
    for word in ("person", "people", "human", "pedestrian"):
        if word in lower:
            return lower.index(word)
    raise ConfigurationError(f"no class is called person: {', '.join(names[:10])}")


def _side(name: str) -> Side | None:
    words = _words(name)
    left, right = bool(words & _LEFT), bool(words & _RIGHT)
    if left == right:
        return None
    return Side.LEFT if left else Side.RIGHT


def _words(name: str) -> set[str]:
    """The words of "left_hand", "LeftHand" or "Left Hand", in lower case."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}
