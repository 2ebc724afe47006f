"""Classes of a box model that are hands: left ones, right ones, or hands of either handedness."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from hamer_ros.errors import ConfigurationError
from hamer_ros.hands import Handedness

_LEFT = {"left", "l", "lh"}
_RIGHT = {"right", "r", "rh"}
_HAND = {"hand", "hands", "palm"}


def parse_names(text: str) -> tuple[str, ...]:
    """The names of the classes as Ultralytics writes them into a file: "{0: 'hand', 1: ...}".

    Raises:
        ConfigurationError: the text is something else.
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


def hand_classes(
    names: Sequence[str] | None, n_classes: int | None
) -> dict[int, Handedness | None]:
    """The index of each class that is a hand -> its handedness, None where the name has none.

    names: the names, where there are any; a word such as "left", "RH" or "hand" counts.
    n_classes: how many classes there are, where that is known; a single one is the hand, whatever
        its name.

    Raises:
        ConfigurationError: there are several classes without names, or none is a hand.
    """
    if names is None and n_classes != 1:
        raise ConfigurationError(
            "the file does not name its classes; name them in their order in detector_classes, for "
            "example left,right or, where the model does not tell the sides, hand"
        )
    if names is None or len(names) == 1:
        return {0: _handedness(names[0]) if names else None}
    words = [_words(name) for name in names]
    classes = {
        i: _handedness(name) for i, name in enumerate(names) if words[i] & (_HAND | _LEFT | _RIGHT)
    }
    if not classes:
        listed = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
        raise ConfigurationError(
            f"none of the classes is called left, right or hand: {listed}; name them in their "
            "order, a class that is no hand with any other word"
        )
    return classes


def person_class(names: Sequence[str] | None) -> int:
    """The index of the class of people: by name, or the first one, as in COCO.

    Raises:
        ConfigurationError: there are names, but none is "person".
    """
    if names is None:
        return 0
    lower = [name.lower() for name in names]
    for word in ("person", "people", "human", "pedestrian"):
        if word in lower:
            return lower.index(word)
    raise ConfigurationError(f"no class is called person: {', '.join(names[:10])}")


def _handedness(name: str) -> Handedness | None:
    words = _words(name)
    left, right = bool(words & _LEFT), bool(words & _RIGHT)
    if left == right:
        return None
    return Handedness.LEFT if left else Handedness.RIGHT


def _words(name: str) -> set[str]:
    """The words of "left_hand", "LeftHand" or "Left Hand", in lower case."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}
