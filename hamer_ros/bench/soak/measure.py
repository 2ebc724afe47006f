"""Area ``soak``: the installed node at 30 Hz for as long as one likes, and what it holds meanwhile.

Node, camera and client are processes of their own and talk over DDS, as on a robot.  The camera
plays rendered hands that come and go.  Every frame that it sends is accounted for.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from hamer_ros.bench.records import BrokenPromiseError, Record
from hamer_ros.bench.soak import clip
from hamer_ros.bench.soak.chart import soak_chart
from hamer_ros.bench.soak.figures import Account, account
from hamer_ros.bench.soak.report import Soak, broken_promises, records, words
from hamer_ros.bench.soak.robot import Camera, Client, Robot
from hamer_ros.bench.soak.samples import Sample, busy_seconds, take_sample
from hamer_ros.demo.processes import Child, Children, DemoError, workers
from hamer_ros.demo.run import installed_node

WARM_UP = 120.0
"""Seconds, or a quarter of the soak where that is less."""

LEAST_SECONDS = 15.0
RESTARTS, BETWEEN_KILLS = 5, 3.0
"""How often the node is killed, and for how many seconds it has been at work then."""
AT_WORK = 2.0
"""Processor seconds of a node that processes images; its start takes half of that."""
PAUSES, PAUSE = 4, 0.4
"""How often and for how many seconds the node is stopped at first: for a dozen images."""
_PERIOD = 0.5
"""Seconds from one sample to the next."""


def measure_soak(out: Path, minutes: float) -> list[Record]:
    """Run it for some minutes; leaves ``soak.png`` and what the processes said.

    Raises:
        BrokenPromiseError: the node lost frames or holds more and more, slows down, takes more than
            a core, or too long to start; the text tells which.
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
    print(words(soak))
    chart = cv2.cvtColor(soak_chart(soak), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(out / "soak.png"), chart)
    print(f"{out / 'soak.png'}  memory, latency and cores over time")
    kept = records(soak, restart)
    if broken := broken_promises(soak, restart):
        raise BrokenPromiseError("; ".join(broken), kept)
    return kept


def run(stack: Path, work: Path, logs: Path, seconds: float) -> Soak:
    """Play for some seconds and note everything.

    stack: frames to play.  work, logs: new folders for what the processes note and what they say.

    Raises:
        DemoError: a process ended early, or nothing came for a long time.
    """
    with Children() as children:
        robot = Robot(children, stack, work, logs)
        node, camera = robot.start_node(), robot.start_camera()
        fill_queues(robot, node)
        client = robot.start_client()
        robot.wait_for_first_hands()
        before = settled(robot, camera, client)
        sampler = _Sampler(node, client, seconds)
        others = _Others(node, camera.child, client.child)
        robot.play()
        begin = time.time_ns()
        children.wait_until(lambda: sampler.is_over, "the end", np.inf, sampler.tick)
        sampler.close()
        share = others.cores()
        robot.stop_playing()
        camera.child.wait()
        after = settled(robot, camera, client)
    return Soak(
        samples=sampler.samples,
        warm=begin + round(1e9 * min(WARM_UP, seconds / 4)),
        sent=camera.sent()[before.sent :],
        arrived=client.arrived()[before.arrived :],
        account=after.since(before),
        others=share,
    )


def fill_queues(robot: Robot, node: Child) -> None:
    """Let images pile up a few times before anything is counted.

    DDS keeps up to five images for the node and takes memory for each when it is first needed,
    which on a busy machine may be after half an hour.
    """
    robot.wait_until(lambda: node.cpu_seconds > AT_WORK, "the node to work")
    for _ in range(PAUSES):
        node.pause(PAUSE)
        time.sleep(2 * PAUSE)


def settled(robot: Robot, camera: Camera, client: Client) -> Account:
    """The account once the camera rests: what has been sent has been told of.

    Two diagnostics must say the same, so that nothing is still under way.
    """

    def current() -> Account | None:
        told = client.told()[-2:]
        if len(told) < 2:
            return None
        n_sent, n_arrived = len(camera.sent()), len(client.arrived())
        accounts = [account(n_sent, one, n_arrived) for one in told]
        quiet = told[0].time > camera.sent(last=1)[0, 0]
        return accounts[1] if quiet and accounts[0] == accounts[1] else None

    robot.wait_until(lambda: current() is not None, "the node to come to rest")
    result = current()
    assert result is not None
    return result


def measure_restart(stack: Path, work: Path, logs: Path) -> float:
    """Seconds from the start of a node whose predecessor was killed to the first hands, the median.

    Camera and client go on all the time.
    """
    times = []
    with Children() as children:
        robot = Robot(children, stack, work, logs)
        node, _, client = robot.start_node(), robot.start_camera(), robot.start_client()
        robot.wait_for_first_hands()
        robot.play()
        for _ in range(RESTARTS):
            time.sleep(BETWEEN_KILLS)
            children.kill(node)
            begin = time.time_ns()
            node = robot.start_node()
            times.append(1e-9 * (await_hands(robot, client, begin) - begin))
    print(f"restarts: {', '.join(f'{seconds:.2f}' for seconds in times)} s to the first hands")
    return statistics.median(times)


def await_hands(robot: Robot, client: Client, moment: int) -> int:
    """When the client had the first hands of an image stamped after a time; both in ns."""
    robot.wait_until(lambda: client.first_since(moment) is not None, "hands")
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
    """Samples the node from time to time, and shows how it fares."""

    def __init__(self, node: Child, client: Client, seconds: float) -> None:
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
        """Whether it has lasted as long as it should."""
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
        """Take the last sample, and the bar away."""
        self.samples.append(take_sample(self._node))
        self._bar.close()


class _Others:
    """Measures what the programs that are no part of this take from the machine."""

    def __init__(self, *own: Child) -> None:
        self._own = own
        self._begin = time.monotonic()
        self._before = self._busy()

    def cores(self) -> float:
        """Processor cores that they have kept busy since the beginning."""
        return (self._busy() - self._before) / (time.monotonic() - self._begin)

    def _busy(self) -> float:
        own = sum(child.cpu_seconds for child in self._own) + time.process_time()
        return busy_seconds() - own
