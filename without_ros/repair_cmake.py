"""Make the CMake files of the ROS wheels in this virtual environment usable.

The wheels were built in a container whose Python lay under /opt/python, and the CMake targets that
they export name its include directories.  CMake refuses a target with an include directory that
does not exist, so no message package would build.  This puts the directories of the running Python
in their place.  Run it with the virtual environment's Python after the install; a second run finds
nothing left to change.
"""

from __future__ import annotations

import re
import sys
import sysconfig
from pathlib import Path

import numpy as np

PYTHON_INCLUDE = re.compile(r"/opt/python/cp[^/\"; ]+/include/python3\.\d+t?(?=[\"; ])")
NUMPY_INCLUDE = re.compile(
    r"/opt/python/cp[^/\"; ]+/lib/python3\.\d+t?/site-packages/numpy/_?core/include(?=[\"; ])"
)


def repair(text: str) -> str:
    """The text of a CMake file with this machine's include directories."""
    # As functions, the replacements are taken literally, whatever characters the paths hold.
    text = NUMPY_INCLUDE.sub(lambda _: Path(np.get_include()).as_posix(), text)
    return PYTHON_INCLUDE.sub(lambda _: Path(sysconfig.get_path("include")).as_posix(), text)


def main() -> int:
    """Repair every exported CMake file below <virtual environment>/share."""
    changed = []
    for file in sorted(Path(sys.prefix).glob("share/*/cmake/*.cmake")):
        before = file.read_text()
        after = repair(before)
        if "/opt/python/" in after:
            print(f"{file}: names a directory under /opt/python in an unknown way", file=sys.stderr)
            return 1
        if after != before:
            # Replaced rather than written into: pip may have hard-linked the file to its cache.
            fresh = file.with_suffix(".repaired")
            fresh.write_text(after)
            fresh.replace(file)
            changed.append(file.parts[-3])
    print(f"    repaired the CMake files of {len(changed)} packages: {' '.join(changed) or '-'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
