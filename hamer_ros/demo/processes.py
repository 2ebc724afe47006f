"""Start processes apart from everything else on this machine, watch and stop them."""

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
_PATIENCE = 5.0
_SHARED_MEMORY = Path("/dev/shm")


_COMPLAINT = re.compile(r"\[(?:WARN|ERROR|FATAL)\] \[[^]]*\] \[[^]]*\]: (.*)")


class DemoError(Exception):
    """The demo cannot go on; the message says why."""


class Child:
    """A process, in a session of its own so that Ctrl-C reaches only its parent.

    log: file that takes all that the process prints.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        self._log = log
        self._may_end = False
        with log.open("w") as output:
            self._process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=log.parent,  # with -m Python looks for modules there first: there are none
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    @property
    def has_failed(self) -> bool:
        """Whether it has ended and nobody wanted that."""
        return not self._may_end and not self.is_running

    @property
    def cpu_seconds(self) -> float:
        """Processor time of all its threads until now, in user and kernel mode."""
        stat = Path(f"/proc/{self._process.pid}/stat").read_text()
        fields = stat.rpartition(")")[2].split()  # the name before may hold spaces
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def shared_memory(self) -> set[Path]:
        """The DDS segments that it has opened."""
        return _segments(self._process.pid)

    def last_words(self, count: int = 8) -> str:
        """The end of its log."""
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return "\n".join(f"    {line}" for line in lines[-count:]) or "    (it said nothing)"

    def complaints(self) -> tuple[str, ...]:
        """The warnings and errors in its log, as ROS writes them."""
        lines = self._log.read_text(errors="replace").splitlines()
        return tuple(m[1] for line in lines if (m := _COMPLAINT.match(line)))

    def wait(self) -> None:
        """Let it end by itself for a while."""
        self._may_end = True
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            raise DemoError(f"the {self.name} does not end:\n{self.last_words()}") from None

    def stop(self) -> None:
        """End it: as Ctrl-C does, and by force when that does not help."""
        if not self.is_running:
            return
        self._may_end = True
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once, as the kernel does when memory runs out: it can put nothing in order."""
        self._may_end = True
        self._process.kill()
        self._process.wait()

    def pause(self, seconds: float) -> None:
        """Let it stand still for a while, as on a machine that is too busy for it."""
        self._process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self._process.send_signal(signal.SIGCONT)


class Children:
    """The processes together: when one ends early, all end.

    Use as a context: whatever happens inside, nothing keeps running and no shared memory stays.
    """

    def __init__(self) -> None:
        self._children: list[Child] = []
        self._segments: set[Path] = set()

    def __enter__(self) -> Children:
        return self

    def __exit__(self, *_: object) -> None:
        self._note_segments()
        for child in reversed(self._children):
            child.stop()
        _remove_unused(self._segments)

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> Child:
        """Start one more; its log is ``<name>.log`` in the folder."""
        child = Child(name, command, environment, folder / f"{name}.log")
        self._children.append(child)
        return child

    def kill(self, child: Child) -> None:
        """Kill one; the others may go on, and what it leaves is removed in the end."""
        self._note_segments()
        child.kill()

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
            for child in self._children:
                if child.has_failed:
                    raise DemoError(f"the {child.name} has ended early:\n{child.last_words()}")
            if time.monotonic() > end:
                words = "\n".join(f"  {c.name}:\n{c.last_words()}" for c in self._children)
                raise DemoError(f"waited in vain for {what} ({seconds:.0f} s)\n{words}")
            tick()
            time.sleep(_POLL)
        self._note_segments()

    def _note_segments(self) -> None:
        """Remember what is open now: of a process that is killed it cannot be learnt any more."""
        self._segments |= set().union(*(child.shared_memory for child in self._children))


@contextmanager
def workers() -> Iterator[Executor]:
    """One process for each processor; they end at once when something goes wrong."""
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


def apart(environment: Mapping[str, str], fastdds_profiles: Path) -> dict[str, str]:
    """The environment for ROS processes that no other robot, user or program hears.

    They share a free domain and stay on this machine.  The profiles give Fast DDS shared memory
    that images fit into.
    """
    out = {k: v for k, v in environment.items() if k not in ("ROS_LOCALHOST_ONLY", "ROS_NAMESPACE")}
    out["ROS_DOMAIN_ID"] = str(free_domain(environment.get("ROS_DOMAIN_ID", "0")))
    out["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    out["PYTHONUNBUFFERED"] = "1"
    return out | fastdds.variables(fastdds_profiles)


def _segments(pid: int) -> set[Path]:
    """Files of Fast DDS' shared memory that a process has mapped; none when it has ended."""
    try:
        maps = Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return set()
    files = (line.split(maxsplit=5)[-1] for line in maps.splitlines() if "fastrtps" in line)
    return {Path(file) for file in files if file.startswith(f"{_SHARED_MEMORY}/")}


def _remove_unused(segments: set[Path]) -> None:
    """Remove what killed processes left; ports are shared with all that runs on this machine."""
    left = {s: [f for f in (s, *_companions(s)) if f.exists()] for s in segments}
    if any(left.values()):
        pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
        in_use = set().union(*map(_segments, pids))
        for segment in segments - in_use:
            for file in left[segment]:
                file.unlink(missing_ok=True)


def _companions(segment: Path) -> tuple[Path, Path]:
    """The files of a segment's lock and of a port's semaphore."""
    return (
        segment.with_name(f"{segment.name}_el"),
        segment.with_name(f"sem.{segment.name}_mutex"),
    )


def _domains_of_others() -> set[int]:
    """Domains in whose shared memory another user's processes have left files: it cannot be used.

    Fast DDS keeps a port of a domain in ``fastrtps_port<number>`` (DDSI-RTPS 2.3, 9.6.1.1).
    """
    taken = set()
    for path in _SHARED_MEMORY.glob("fastrtps_port*"):
        number = path.name.removeprefix("fastrtps_port")
        if number.isdecimal() and not os.access(path, os.R_OK | os.W_OK):
            taken.add((int(number) - 7400) // 250)
    return taken


def free_domain(own: str) -> int:
    """A ROS domain between 1 and 101 that is not the user's and nobody on this machine uses."""
    taken = _domains_of_others()
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
