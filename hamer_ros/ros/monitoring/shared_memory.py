"""The shared memory of Fast DDS on this machine, from its files."""

from __future__ import annotations

import os
import pwd
import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path("/dev/shm")

_SEGMENT = re.compile(r"fastrtps_[0-9a-f]{16}")
"""Name of a participant's memory for messages; ports and locks have other names."""


@dataclass(frozen=True)
class SharedMemory:
    """The segments on this machine.

    smallest_segment: bytes of the smallest segment of any process here, the default being half a
        megabyte; None where there is none.
    other_users: users other than this process' own who have some.
    """

    smallest_segment: int | None = None
    other_users: tuple[str, ...] = ()


def shared_memory(folder: Path = FOLDER) -> SharedMemory:
    """Return the segments whose files lie in a folder."""
    sizes, owners = [], set()
    try:
        for file in folder.iterdir():
            if _SEGMENT.fullmatch(file.name):
                found = file.stat()
                sizes.append(found.st_size)
                owners.add(found.st_uid)
    except OSError:  # a process may end while we look, and not every system has the folder
        pass
    other_users = tuple(sorted(_name(owner) for owner in owners - {os.getuid()}))
    return SharedMemory(min(sizes, default=None), other_users)


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
