"""How the processes of the demo tell each other where they are: one empty file for each event.

Files need no connection, survive the end of the one who wrote them and can be looked at.
"""

from __future__ import annotations

import enum
from pathlib import Path


class Event(enum.Enum):
    """What happens, in this order."""

    CAMERA_READY = "camera-ready"
    CLIENT_READY = "client-ready"
    PLAY = "play"
    PLAYED = "played"
    LOOK = "look"
    LOOKED = "looked"
    STOP = "stop"


class Signals:
    """Events that have happened, seen by all processes that know the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def give(self, event: Event) -> None:
        """Tell everybody that this has happened."""
        (self._folder / event.value).touch()

    def given(self, event: Event) -> bool:
        """Whether this has happened."""
        return (self._folder / event.value).exists()
