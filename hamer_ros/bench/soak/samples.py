"""What a process holds and uses, read from /proc."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from hamer_ros.demo.processes import Child


@dataclass(frozen=True)
class Sample:
    """A process at one moment.

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
        """Memory in use but for shared memory, kB.

        Fast DDS takes its segments whole, when they are made.  Of another process' segment a page
        counts in rss once it has been touched, so that rss goes on growing slowly up to the size
        of the segments while nobody takes any memory.
        """
        return self.rss - self.shared


def take_sample(child: Child) -> Sample:
    """Sample a running process."""
    process = Path(f"/proc/{child.pid}")
    status = dict(
        line.split(":", 1) for line in (process / "status").read_text().splitlines() if ":" in line
    )
    return Sample(
        time=time.time_ns(),
        rss=_kilobytes(status["VmRSS"]),
        shared=_kilobytes(status["RssShmem"]),
        files=len(os.listdir(process / "fd")),
        segments=len(child.shared_memory),
        threads=int(status["Threads"]),
        cpu_seconds=child.cpu_seconds,
        waiting_seconds=_waiting_seconds(process),
    )


def busy_seconds() -> float:
    """Processor time of all that runs on this machine, since it was started."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    user, nice, system, _, _, irq, softirq = map(int, fields[:7])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _kilobytes(text: str) -> int:
    return int(text.split(maxsplit=1)[0])


def _waiting_seconds(process: Path) -> float:
    """The second number of each thread's schedstat is its time on a run queue, ns (Linux)."""
    total = 0
    for stat in process.glob("task/*/schedstat"):
        try:
            total += int(stat.read_text().split()[1])
        except (OSError, IndexError):  # the thread has just ended
            continue
    return 1e-9 * total
