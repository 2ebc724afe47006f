"""Read pickles of others without running what they ask for.

A pickle is a program: it may name any function of any installed package and call it.  Here it may
name what its reader lists, under which the reader may put a stand-in, and nothing else.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any, ClassVar

_NEW_NAMES = {"__builtin__": "builtins", "copy_reg": "copyreg"}
"""Modules by Python 2's names, which protocols below 3 use, and by today's."""


class RefusedPickleError(pickle.UnpicklingError):
    """The pickle names something that has no place in a file of its kind."""


class RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that imports nothing.

    Subclasses list in `KNOWN` what a pickle may name, as "module.name", and what it gets for it.
    Everything named is also callable by the pickle: list only what is harmless with any arguments.
    """

    KNOWN: ClassVar[Mapping[str, Any]] = {}

    def find_class(self, module: str, name: str) -> Any:
        """The object that stands for a global name.

        Raises:
            RefusedPickleError: none does.
        """
        full_name = f"{_NEW_NAMES.get(module, module)}.{name}"
        known = self.KNOWN.get(full_name)
        if known is None:
            raise RefusedPickleError(
                f"it asks for {full_name}, which has no place in such a file and could run "
                "anything; the file was not loaded"
            )
        return known


class Inert(dict):
    """A stand-in for a class that is not wanted: takes everything, does nothing with it."""

    def __init__(self, *_: object) -> None:
        super().__init__()

    # A dict has none, but the class it stands for may have been a key.
    __hash__ = object.__hash__  # type: ignore[assignment]

    def __setstate__(self, state: object) -> None:
        """Drop what the object held."""

    def append(self, item: object) -> None:
        """Drop an element of what was a list."""

    def extend(self, items: object) -> None:
        """Drop elements of what was a list."""

    def add(self, item: object) -> None:
        """Drop an element of what was a set."""
