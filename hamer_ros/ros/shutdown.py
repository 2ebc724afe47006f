"""A limit on how long the process takes to end after SIGINT or SIGTERM."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SHUTDOWN_SECONDS = 1.6
"""Seconds from the signal until the process is ended by force."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def ending_in_time() -> Iterator[None]:
    """Run a block that the first SIGINT or SIGTERM ends with a KeyboardInterrupt; main thread only.

    Python's handlers wait until native code returns, which takes a while where a large model is
    read or compiled.  A thread that is woken by the signal at once ends the process by force when
    the block has not ended within `SHUTDOWN_SECONDS`; all that is lost then is the notice to other
    nodes.
    """
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    ended = threading.Event()

    def watch() -> None:
        if receiver.recv(1) and not ended.wait(SHUTDOWN_SECONDS):
            sys.stderr.write("hamer_ros: a model cannot be interrupted; ended by force\n")
            sys.stderr.flush()
            os._exit(1)

    def interrupt(*_: object) -> None:
        for number in _SIGNALS:  # a second one would interrupt the cleanup
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    wakeup = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        ended.set()
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        sender.close()
        watcher.join()
        receiver.close()
