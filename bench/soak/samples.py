"""Samples of a process' memory, files and processor time, from /proc."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from hamer_ros.demo.processes import ManagedProcess


@dataclass(frozen=True)
class Sample:
    """The resources of a process at one moment.

    time: nanoseconds, the clock of the stamps.
    rss: kB of memory in use: anonymous, and pages of files and of shared memory that are mapped.
    shared: kB of rss in shared memory.
    files: open file descriptors.
    segments: mapped segments of DDS' shared memory.
    cpu_seconds: processor time until now.
    waiting_seconds: for how long its threads were ready to run and found no processor.
    """

    time: int
    rss: int
    shared: int
    files: int
    segments: int
    threads: int
    cpu_seconds: float
    waiting_seconds: float

    @property
    def own(self) -> int:
        """The memory in use except for shared memory, kB.

        Fast DDS takes its segments whole, when they are made.  Of another process' segment a page
        counts in rss once it has been touched, so that rss goes on growing slowly up to the size
        of the segments while nobody takes any memory.
        """
        return self.rss - self.shared


def take_sample(process: ManagedProcess) -> Sample:
    """Return a sample of a running process."""
    folder = Path(f"/proc/{process.pid}")
    status = dict(
        line.split(":", 1) for line in (folder / "status").read_text().splitlines() if ":" in line
    )
    return Sample(
        time=time.time_ns(),
        rss=_kilobytes(status["VmRSS"]),
        shared=_kilobytes(status["RssShmem"]),
        files=len(os.listdir(folder / "fd")),
        segments=len(process.shared_memory),
        threads=int(status["Threads"]),
        cpu_seconds=process.cpu_seconds,
        waiting_seconds=_waiting_seconds(folder),
    )


def busy_seconds() -> float:
    """Return the processor time of all that runs on this machine, since it was started."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    user, nice, system, _, _, irq, softirq = map(int, fields[:7])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _kilobytes(text: str) -> int:
    return int(text.split(maxsplit=1)[0])


def _waiting_seconds(folder: Path) -> float:
    """Return the seconds of all threads on a run queue: schedstat's second number, ns (Linux)."""
    total = 0
    for stat in folder.glob("task/*/schedstat"):
        try:
            total += int(stat.read_text().split()[1])
        except (OSError, IndexError):  # the thread has just ended
            continue
    return 1e-9 * total
