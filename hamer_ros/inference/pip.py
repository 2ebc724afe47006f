"""Run pip, and say in one sentence why it failed.

Needs Python's own library only: `make` installs with it, by ``python -m hamer_ros.inference.pip
install ...``, before there is anything else.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

_NO_NETWORK = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeout|Read ?[Tt]imed ?out|ReadTimeout"
    r"|Connection(Refused|Reset)?Error|ProxyError|RemoteDisconnected|Failed to establish"
    r"|Temporary failure in name resolution|Network is unreachable"
)
_LARGE = re.compile(r"^ *(Downloading .* \([0-9.]+ [MG]B\))")


class PipError(RuntimeError):
    """A run of pip has failed; the message says why, in one sentence where that is known."""


def run_pip(
    arguments: Sequence[str],
    line: Callable[[str], object] = lambda _: None,
    temporary: Path | None = None,
) -> None:
    """Run the pip of this Python.

    arguments: a command of pip and its options.
    line: is called with each line that pip prints.
    temporary: folder for pip's temporary files; None leaves it to pip.

    Raises:
        PipError: it has failed.
    """
    command = [sys.executable, "-m", "pip", *arguments, "--disable-pip-version-check", "--no-input"]
    command += ["--progress-bar", "off"]
    environment = os.environ if temporary is None else {**os.environ, "TMPDIR": str(temporary)}
    said = []
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None
        try:
            for text in process.stdout:
                said.append(text.rstrip())
                line(said[-1])
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise PipError(reason(said))


def reason(said: Sequence[str]) -> str:
    """The reason for which pip has failed, from the lines that it has printed."""
    text = "\n".join(said)
    if "No module named pip" in text:
        return f"{sys.executable} has no pip: install it (sudo apt install python3-pip)"
    if "No space left on device" in text:
        return (
            "the disk is full; make room where packages are installed, and in TMPDIR (/tmp), where "
            "pip unpacks them"
        )
    if _NO_NETWORK.search(text):
        return "pip cannot reach its package index (is there a network?)"
    if "externally-managed-environment" in text:
        return "pip may not install here: this Python belongs to the system"
    errors = [line for line in said if line.startswith("ERROR: ")]
    return "\n".join(line.removeprefix("ERROR: ") for line in errors or said[-5:])


def progress(line: str) -> str | None:
    """Words for a line of pip that announces something long; None for all others."""
    if match := _LARGE.match(line):
        return match[1]
    return "unpacking" if line.lstrip().startswith("Installing collected packages:") else None


def main(arguments: Sequence[str]) -> int:
    """Run pip, print only what takes long and why it failed, and return the exit status."""

    def tell(line: str) -> None:
        if words := progress(line):
            print(f"    {words}", flush=True)

    try:
        run_pip(arguments, tell)
    except PipError as error:
        print(f"installing failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
