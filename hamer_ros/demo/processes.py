"""Start, supervision and end of processes that are isolated from all other ROS processes."""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from hamer_ros.ros import fastdds

_POLL = 0.02
_STOP_SECONDS = 5.0
_SHARED_MEMORY = Path("/dev/shm")


_LOG_PROBLEM = re.compile(r"\[(?:WARN|ERROR|FATAL)\] \[[^]]*\] \[[^]]*\]: (.*)")


class DemoError(Exception):
    """An error that ends the demo; the message names the reason."""


class ManagedProcess:
    """A process, in a session of its own so that Ctrl-C reaches only its parent.

    log: file that takes all that the process prints.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        self._log = log
        self._may_exit = False
        with log.open("w") as output:
            self._process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=log.parent,  # where Python looks for modules first with -m: it has none
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """True if it has not ended yet."""
        return self._process.poll() is None

    @property
    def has_failed(self) -> bool:
        """True if it has ended before it was meant to."""
        return not self._may_exit and not self.is_running

    @property
    def cpu_seconds(self) -> float:
        """The processor time of all its threads until now, in user and kernel mode."""
        stat = Path(f"/proc/{self._process.pid}/stat").read_text()
        fields = stat.rpartition(")")[2].split()  # the name in parentheses may contain spaces
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def shared_memory(self) -> set[Path]:
        """The files of Fast DDS' shared memory that it has mapped."""
        return _segments(self._process.pid)

    def log_tail(self, count: int = 8) -> str:
        """Return the last lines of its log."""
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return "\n".join(f"    {line}" for line in lines[-count:]) or "    (it said nothing)"

    def logged_problems(self) -> tuple[str, ...]:
        """Return the warnings and errors in its log, as ROS writes them."""
        lines = self._log.read_text(errors="replace").splitlines()
        return tuple(m[1] for line in lines if (m := _LOG_PROBLEM.match(line)))

    def wait(self) -> None:
        """Wait until it ends by itself.

        Raises:
            DemoError: it does not end within a few seconds.
        """
        self._may_exit = True
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise DemoError(f"the {self.name} does not end:\n{self.log_tail()}") from None

    def stop(self) -> None:
        """End it as Ctrl-C does, and by force when that does not help."""
        if not self.is_running:
            return
        self._may_exit = True
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Kill it, as the kernel does when memory runs out: it cannot clean up."""
        self._may_exit = True
        self._process.kill()
        self._process.wait()

    def pause(self, seconds: float) -> None:
        """Stop it for a while, as on a machine that is too busy for it."""
        self._process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self._process.send_signal(signal.SIGCONT)


class ProcessGroup:
    """A group of processes: when one ends early, all end.

    Use as a context manager: at its end nothing keeps running and no shared memory stays.
    """

    def __init__(self) -> None:
        self._processes: list[ManagedProcess] = []
        self._segments: set[Path] = set()

    def __enter__(self) -> ProcessGroup:
        return self

    def __exit__(self, *_: object) -> None:
        self._note_segments()
        for process in reversed(self._processes):
            process.stop()
        _remove_unused(self._segments)

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> ManagedProcess:
        """Start a process; its log is ``<name>.log`` in the folder."""
        process = ManagedProcess(name, command, environment, folder / f"{name}.log")
        self._processes.append(process)
        return process

    def kill(self, process: ManagedProcess) -> None:
        """Kill one process; the others go on, and its shared memory is removed in the end."""
        self._note_segments()
        process.kill()

    def wait_until(
        self,
        done: Callable[[], bool],
        what: str,
        seconds: float,
        tick: Callable[[], object] = lambda: None,
    ) -> None:
        """Wait for something to happen, and call ``tick`` meanwhile.

        what: completes "waited in vain for ...".

        Raises:
            DemoError: a process has ended, or it takes longer than ``seconds``.
        """
        end = time.monotonic() + seconds
        while not done():
            for process in self._processes:
                if process.has_failed:
                    raise DemoError(f"the {process.name} has ended early:\n{process.log_tail()}")
            if time.monotonic() > end:
                words = "\n".join(f"  {c.name}:\n{c.log_tail()}" for c in self._processes)
                raise DemoError(f"waited in vain for {what} ({seconds:.0f} s)\n{words}")
            tick()
            time.sleep(_POLL)
        self._note_segments()

    def _note_segments(self) -> None:
        """Remember the mapped shared memory: that of a killed process is no longer known."""
        self._segments |= set().union(*(process.shared_memory for process in self._processes))


@contextmanager
def workers() -> Iterator[Executor]:
    """Provide a pool with one process for each processor, which ends at once after an error."""
    pool = ProcessPoolExecutor(
        os.cpu_count(),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),  # Ctrl-C is for the parent
    )
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def isolated_environment(environment: Mapping[str, str], fastdds_profiles: Path) -> dict[str, str]:
    """Return the environment for ROS processes that no other robot, user or program hears.

    fastdds_profiles: file that gives Fast DDS shared memory large enough for images.

    They share a free domain and stay on this machine.
    """
    out = {k: v for k, v in environment.items() if k not in ("ROS_LOCALHOST_ONLY", "ROS_NAMESPACE")}
    out["ROS_DOMAIN_ID"] = str(free_domain(environment.get("ROS_DOMAIN_ID", "0")))
    out["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    out["PYTHONUNBUFFERED"] = "1"
    return out | fastdds.variables(fastdds_profiles)


def _segments(pid: int) -> set[Path]:
    """Return the files of Fast DDS' shared memory that a process maps; none if it has ended."""
    try:
        maps = Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return set()
    files = (line.split(maxsplit=5)[-1] for line in maps.splitlines() if "fastrtps" in line)
    return {Path(file) for file in files if file.startswith(f"{_SHARED_MEMORY}/")}


def _remove_unused(segments: set[Path]) -> None:
    """Remove shared memory that no process uses any more: ports are shared with other programs."""
    left = {s: [f for f in (s, *_companions(s)) if f.exists()] for s in segments}
    if any(left.values()):
        pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
        in_use = set().union(*map(_segments, pids))
        for segment in segments - in_use:
            for file in left[segment]:
                file.unlink(missing_ok=True)


def _companions(segment: Path) -> tuple[Path, Path]:
    """Return the files of a segment's lock and of a port's semaphore."""
    return (
        segment.with_name(f"{segment.name}_el"),
        segment.with_name(f"sem.{segment.name}_mutex"),
    )


def _domains_of_other_users() -> set[int]:
    """Return the domains whose shared memory holds files of other users: they cannot be used.

    Fast DDS keeps a port of a domain in ``fastrtps_port<number>`` (DDSI-RTPS 2.3, 9.6.1.1).
    """
    taken = set()
    for path in _SHARED_MEMORY.glob("fastrtps_port*"):
        number = path.name.removeprefix("fastrtps_port")
        if number.isdecimal() and not os.access(path, os.R_OK | os.W_OK):
            taken.add((int(number) - 7400) // 250)
    return taken


def free_domain(own: str) -> int:
    """Return a ROS domain from 1 to 101 that is not the user's and is unused on this machine."""
    taken = _domains_of_other_users()
    domains = [d for d in range(1, 102) if str(d) != own and d not in taken]
    random.shuffle(domains)
    for domain in domains:
        # The unicast discovery port of a domain's first participant (DDSI-RTPS 2.3, 9.6.1.1).
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("", 7400 + 250 * domain + 10))
            except OSError:
                continue
            return domain
    raise DemoError("every ROS domain is in use on this machine")
