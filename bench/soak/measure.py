"""Area ``soak``: the installed node at 30 Hz for any time, and its memory, files and latency.

Node, camera and client are processes of their own and communicate over DDS, as on a robot.  The
camera plays rendered hands that come and go.  Every frame that it sends is accounted for.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from bench.records import BrokenPromiseError, Record
from bench.soak import clip
from bench.soak.chart import soak_chart
from bench.soak.figures import FrameCounts, count_frames
from bench.soak.processes import Camera, Client, Processes
from bench.soak.report import Soak, broken_promises, records, summary
from bench.soak.samples import Sample, busy_seconds, take_sample
from hamer_ros.demo.processes import DemoError, ManagedProcess, ProcessGroup, workers
from hamer_ros.demo.run import installed_node

WARM_UP = 120.0
"""Seconds, or a quarter of the soak where that is less."""

LEAST_SECONDS = 15.0
RESTARTS, BETWEEN_KILLS = 5, 3.0
"""Number of times that the node is killed, and seconds that it has been at work then."""
AT_WORK = 2.0
"""Processor seconds of a node that processes images; its start takes half of that."""
PAUSES, PAUSE = 4, 0.4
"""Number and seconds of pauses of the node at first, each of a dozen images."""
_PERIOD = 0.5
"""Seconds from one sample to the next."""


def measure_soak(out: Path, minutes: float) -> list[Record]:
    """Run the soak for some minutes; leaves ``soak.png`` and the processes' output.

    Raises:
        BrokenPromiseError: the node lost frames or holds more and more, slows down, takes more than
            a core, or too long to start; the text names which.
        DemoError: the package is not installed in ROS.
    """
    installed_node()
    out = out.resolve()
    logs = out / "logs" / "soak"
    with tempfile.TemporaryDirectory(prefix="hamer_ros-soak-") as scratch:
        stack = Path(scratch) / "clip.npy"
        with workers() as pool, _rendering() as bar:
            clip.render(stack, pool, bar.update)
        try:
            soak = run(stack, Path(scratch) / "soak", logs, max(60 * minutes, LEAST_SECONDS))
            restart = measure_restart(stack, Path(scratch) / "restart", logs / "restart")
        except DemoError as error:
            raise BrokenPromiseError(str(error), ()) from error
    print(summary(soak))
    chart = cv2.cvtColor(soak_chart(soak), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(out / "soak.png"), chart)
    print(f"{out / 'soak.png'}  memory, latency and cores over time")
    kept = records(soak, restart)
    if broken := broken_promises(soak, restart):
        raise BrokenPromiseError("; ".join(broken), kept)
    return kept


def run(stack: Path, work: Path, logs: Path, seconds: float) -> Soak:
    """Play for some seconds and return what was recorded.

    stack: frames to play.
    work, logs: new folders for the logs of messages and for what the processes print.

    Raises:
        DemoError: a process ended early, or nothing came for a long time.
    """
    with ProcessGroup() as group:
        processes = Processes(group, stack, work, logs)
        node, camera = processes.start_node(), processes.start_camera()
        fill_queues(processes, node)
        client = processes.start_client()
        processes.wait_for_first_hands()
        before = settled_counts(processes, camera, client)
        sampler = _Sampler(node, client, seconds)
        others = _OtherPrograms(node, camera.process, client.process)
        processes.play()
        begin = time.time_ns()
        group.wait_until(lambda: sampler.is_over, "the end", np.inf, sampler.tick)
        sampler.close()
        share = others.cores()
        processes.stop_playing()
        camera.process.wait()
        after = settled_counts(processes, camera, client)
    return Soak(
        samples=sampler.samples,
        warm=begin + round(1e9 * min(WARM_UP, seconds / 4)),
        sent=camera.sent()[before.sent :],
        arrived=client.arrived()[before.arrived :],
        counts=after.since(before),
        others=share,
    )


def fill_queues(processes: Processes, node: ManagedProcess) -> None:
    """Let images pile up a few times before anything is counted.

    DDS keeps up to five images for the node and takes memory for each when it is first needed,
    which on a busy machine may be after half an hour.
    """
    processes.wait_until(lambda: node.cpu_seconds > AT_WORK, "the node to work")
    for _ in range(PAUSES):
        node.pause(PAUSE)
        time.sleep(2 * PAUSE)


def settled_counts(processes: Processes, camera: Camera, client: Client) -> FrameCounts:
    """Return the counts once the camera rests and the node has reported all that was sent.

    Two diagnostics must say the same, so that nothing is still under way.
    """

    def current() -> FrameCounts | None:
        statuses = client.statuses()[-2:]
        if len(statuses) < 2:
            return None
        n_sent, n_arrived = len(camera.sent()), len(client.arrived())
        counts = [count_frames(n_sent, status, n_arrived) for status in statuses]
        quiet = statuses[0].time > camera.sent(last=1)[0, 0]
        return counts[1] if quiet and counts[0] == counts[1] else None

    processes.wait_until(lambda: current() is not None, "the node to come to rest")
    result = current()
    assert result is not None
    return result


def measure_restart(stack: Path, work: Path, logs: Path) -> float:
    """Return the median seconds from the start of a node after a kill to the first hands.

    Camera and client go on all the time.
    """
    times = []
    with ProcessGroup() as group:
        processes = Processes(group, stack, work, logs)
        node, _, client = processes.start_node(), processes.start_camera(), processes.start_client()
        processes.wait_for_first_hands()
        processes.play()
        for _ in range(RESTARTS):
            time.sleep(BETWEEN_KILLS)
            group.kill(node)
            begin = time.time_ns()
            node = processes.start_node()
            times.append(1e-9 * (await_hands(processes, client, begin) - begin))
    print(f"restarts: {', '.join(f'{seconds:.2f}' for seconds in times)} s to the first hands")
    return statistics.median(times)


def await_hands(processes: Processes, client: Client, moment: int) -> int:
    """Return when the client had the first hands of an image stamped after a moment; both in ns."""
    processes.wait_until(lambda: client.first_since(moment) is not None, "hands")
    first = client.first_since(moment)
    assert first is not None
    return first


def _rendering() -> tqdm:
    return tqdm(
        total=len(clip.FRAMES),
        desc="Rendering the clip",
        unit=" frames",
        leave=False,
        disable=None,
    )


class _Sampler:
    """Samples the node from time to time, and shows its progress."""

    def __init__(self, node: ManagedProcess, client: Client, seconds: float) -> None:
        self.samples: list[Sample] = []
        self._node, self._client = node, client
        self._begin = time.monotonic()
        self._seconds = seconds
        self._due = self._begin
        form = "{desc}: {percentage:3.0f}%|{bar}| {n:.1f}/{total:.1f} min{postfix}"
        self._bar = tqdm(
            total=seconds / 60, desc="Soak", bar_format=form, leave=False, disable=None
        )

    @property
    def is_over(self) -> bool:
        """True if it has lasted as long as it should."""
        return time.monotonic() >= self._begin + self._seconds

    def tick(self) -> None:
        """Take a sample when it is time for one."""
        now = time.monotonic()
        if now < self._due or not self._node.is_running:
            return
        self._due = max(self._due + _PERIOD, now)
        sample = take_sample(self._node)
        self.samples.append(sample)
        rows = self._client.arrived(last=len(clip.FRAMES))
        p99 = np.percentile(1e-6 * (rows[:, 1] - rows[:, 0]), 99)
        self._bar.set_postfix_str(f"{sample.rss / 1024:.1f} MB, p99 {p99:.0f} ms", refresh=False)
        self._bar.update((now - self._begin) / 60 - self._bar.n)

    def close(self) -> None:
        """Take the last sample, and remove the bar."""
        self.samples.append(take_sample(self._node))
        self._bar.close()


class _OtherPrograms:
    """Measures the processor time that other programs take from the machine."""

    def __init__(self, *own: ManagedProcess) -> None:
        self._own = own
        self._begin = time.monotonic()
        self._before = self._busy()

    def cores(self) -> float:
        """Return the number of processor cores that they have kept busy since the beginning."""
        return (self._busy() - self._before) / (time.monotonic() - self._begin)

    def _busy(self) -> float:
        own = sum(process.cpu_seconds for process in self._own) + time.process_time()
        return busy_seconds() - own
