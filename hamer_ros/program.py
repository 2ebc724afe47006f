"""Arguments, errors and exit statuses that the package's command line programs share."""

from __future__ import annotations

import argparse
import errno
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from hamer_ros.interrupt import INTERRUPTED, heard

_CUT_OFF = 128 + signal.SIGPIPE


def run_program(
    parser: argparse.ArgumentParser,
    run: Callable[[argparse.Namespace], int],
    arguments: Sequence[str] | None = None,
) -> int:
    """Parse the arguments of a program, run it and return its exit status.

    It is the status that ``run`` returns, 1 after an error of the file system, which is printed
    readably, 130 after Ctrl-C, or 141 when the reader of the output has gone.
    """
    heard()
    # SIGTERM, from a supervisor, cleans up as well.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        try:
            return run(
                parser.parse_args(
                    join_negative_values(sys.argv[1:] if arguments is None else arguments)
                )
            )
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # here, where a broken pipe is caught
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        _silence_stdout()
        # A reader such as `head` has read enough; other programs have this status then.
        return _CUT_OFF if isinstance(error, BrokenPipeError) else fail(error_text(error))


def fail(reason: str) -> int:
    """Print why a program ends and return its exit status, 1."""
    print(f"hamer_ros: {reason}", file=sys.stderr)
    return 1


def join_negative_values(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with ``--option -1,2`` as ``--option=-1,2``.

    argparse takes a value with a minus for an option, unless it is a single number.
    """
    out: list[str] = []
    for argument in arguments:
        if out and re.fullmatch(r"--[a-z-]+", out[-1]) and re.match(r"-[\d.,]", argument):
            out[-1] += f"={argument}"
        else:
            out.append(argument)
    return out


def error_text(error: OSError) -> str:
    """Return the message of a file system error, with a remedy where one is known."""
    if error.strerror is None:
        return str(error)
    text = error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    if error.errno == errno.ENOSPC:
        text += "; make room there and in TMPDIR (/tmp), or write elsewhere"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        text += "; make it writable for you, or write elsewhere"
    return text


def positive(text: str) -> float:
    """Return the value of an option that takes a positive number.

    Raises:
        argparse.ArgumentTypeError: it is something else.
    """
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive number")
    return value


def add_out(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the folder for results."""
    parser.add_argument(
        "--out", type=Path, default=Path("out"), metavar="FOLDER", help="default: out"
    )


def _silence_stdout() -> None:
    """Discard what is still to be written: it would fail again when Python ends."""
    if sys.stdout is not None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)
