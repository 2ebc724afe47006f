"""Events that synchronise the demo's processes: one empty file for each event.

Files need no connection, outlive the process that wrote them and can be looked at.
"""

from __future__ import annotations

import enum
from pathlib import Path


class Event(enum.Enum):
    """The events, in the order in which they happen."""

    CAMERA_READY = "camera-ready"
    CLIENT_READY = "client-ready"
    PLAY = "play"
    PLAYED = "played"
    PICTURES_WANTED = "pictures-wanted"
    PICTURES_RECEIVED = "pictures-received"
    STOP = "stop"


class ProcessEvents:
    """Events that have happened, visible to all processes that know the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def set(self, event: Event) -> None:
        """Mark an event as happened, for all processes."""
        (self._folder / event.value).touch()

    def is_set(self, event: Event) -> bool:
        """True if an event has happened."""
        return (self._folder / event.value).exists()
