"""End the process in time when somebody asks for it."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 1.6
"""Seconds from the signal until the process is ended by force."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def ending_in_time() -> Iterator[None]:
    """Run a block that the first SIGINT or SIGTERM ends with a KeyboardInterrupt; main thread only.

    Python's handlers wait until native code returns, which takes a while where a large model is
    read or compiled.  A thread that learns of the signal at once ends the process by force when the
    block is not left within `PATIENCE`; nothing is lost then but the farewell to other nodes.
    """
    told, tell = socket.socketpair()
    tell.setblocking(False)
    left = threading.Event()

    def watch() -> None:
        if told.recv(1) and not left.wait(PATIENCE):
            sys.stderr.write("hamer_ros: a model cannot be interrupted; ended by force\n")
            sys.stderr.flush()
            os._exit(1)

    def interrupt(*_: object) -> None:
        for number in _SIGNALS:  # a second one would interrupt the tidying up
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    wakeup = signal.set_wakeup_fd(tell.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        left.set()
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        tell.close()
        watcher.join()
        told.close()
