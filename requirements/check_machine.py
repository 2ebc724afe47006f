"""Say in one line what keeps `make` from working on this machine, before anything is installed.

Runs on the Python that would be used, however old, with nothing but its own library.

usage: check_machine.py ELSEWHERE    the folder to build in; empty for that of the project
"""

import os
import re
import shutil
import sys
import sysconfig

OLDEST = (3, 10)
ROOM = 1500000000
"""Bytes; what running takes is a third of it, and pip unpacks as much beside it."""

PACKAGES = {
    "the module venv": "python3-venv",
    "Python's headers": "python3-dev",
    "a C++ compiler": "g++",
}
"""What may be missing -> the package of Debian and Ubuntu that brings it."""


def reason(elsewhere):
    """What is wrong, or None."""
    if sys.version_info < OLDEST:
        version = "{}.{}".format(*sys.version_info)
        return (
            f"{sys.executable} is Python {version}, and 3.10 or newer is needed: PYTHON=python3.12"
        )
    if re.search(r"[^A-Za-z0-9/._-]", elsewhere):
        return (
            "building needs a path of ASCII letters without spaces, which neither this folder nor "
            f"{elsewhere} has: move it"
        )
    missing = [what for what, is_there in found().items() if not is_there]
    if missing:
        packages = " ".join(PACKAGES[what] for what in missing)
        return (
            f"this machine lacks {' and '.join(missing)}; on Debian and Ubuntu: "
            f"sudo apt install {packages}"
        )
    here = os.getcwd()
    there = existing(elsewhere or here)
    for folder in (here, there):
        if not os.access(folder, os.W_OK | os.X_OK):
            return f"you may not write into {folder}; take a clone of your own"
    room = shutil.disk_usage(there).free
    if room < ROOM:
        return f"{there} has {room / 1e6:.0f} MB left, and installing takes {ROOM / 1e9:.1f} GB"
    return None


def found():
    """What is needed -> whether it is there."""
    headers = os.path.join(sysconfig.get_path("include"), "Python.h")
    compilers = [os.environ.get("CXX") or "c++", "g++", "clang++"]
    return {
        "the module venv": _has_venv(),
        "Python's headers": os.path.isfile(headers),
        "a C++ compiler": any(map(shutil.which, compilers)),
    }


def existing(folder):
    """The folder, or the nearest above it that is there."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder


def _has_venv():
    try:
        import ensurepip  # noqa: F401, PLC0415 - Debian leaves it out
        import venv  # noqa: F401, PLC0415
    except ImportError:
        return False
    return True


if __name__ == "__main__":
    why = reason(sys.argv[1])
    if why:
        sys.exit("nothing was installed: " + why)
