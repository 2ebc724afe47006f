"""Ctrl-C while a program starts: it ends in silence, without a traceback of its imports."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED = 130
"""Exit status of a program that Ctrl-C has ended, as shells report it."""


def quiet_while_starting() -> None:
    """End the process at once when it is interrupted, until `heard` or a handler of its own."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where it is ignored
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))


def heard() -> None:
    """Let an interrupt raise KeyboardInterrupt from now on, as it does in Python."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def quiet() -> Iterator[None]:
    """A context for imports of native code, in which an interrupt ends the process at once.

    Some such modules abort with a dump when KeyboardInterrupt is raised in them.  Nothing may be in
    progress that would be lost.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    quiet_while_starting()
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
