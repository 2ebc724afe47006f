"""The fuzz run: sends events to the node over DDS, one after the other, and checks each outcome.

An event is over when the node has counted its image.  An image that was processed must be answered
by hands under its own header, which are checked; one that was refused, by nothing.  Now and then
sound images of two hands come in a row, which must be found and followed, whatever went before.  At
the end of an episode the diagnostics must show exactly the sums of what was counted.

A hang
    An image that is refused, a CameraInfo or a /clock is done with more than `QUICK` after it was
    passed to DDS, or an image is processed in more than `LONG`, and again so when it is sent a
    second and a third time: on a shared machine a single time proves nothing.  What takes longer
    than `client.ANSWER_SECONDS` is a hang at once.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from builtin_interfaces.msg import Time
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from bench.fuzz import stamps
from bench.fuzz.client import Client, NoAnswerError
from bench.fuzz.events import (
    SOUND_IMAGE,
    Event,
    Setting,
    make_event,
    make_hands_event,
    make_setting,
)
from bench.fuzz.expected_outcome import FUTURE, NO_CLOCK, NO_INFO, PROCESSED, broken, doubtful
from bench.fuzz.node_under_test import EntryPoint, run_node
from bench.fuzz.oracle import check_answer, header_text, visible_hands
from hamer_ros.msg import HandMesh, HandMeshArray
from hamer_ros.ros.input.subscriptions import ImageMessage

QUICK = 0.1
"""Seconds within which a message that cannot be used must be done with."""
LONG = 1.0
"""Seconds within which an image must be processed: a search of a large one takes a third of it."""
_ATTEMPTS = 3
HANDS_EVERY = 200
"""Number of events from one series of images of hands to the next."""
_HAND_IMAGES = 6
"""Number of images in such a series."""
_MAX_MEMORY_GROWTH = 256.0
"""Megabytes by which no event may raise the node's peak memory."""
_START = 1_700_000_000 * stamps.SECOND
"""Begin of simulated time, nanoseconds."""
_MAX_DIAGNOSTICS = 3
"""Number of diagnostics, of which one must show the sums: the first may be older than the last
image."""
_ASSUMED_FOV = 60.0
"""Degrees of the field of view to assume, where the node is to guess it."""


@dataclass(frozen=True)
class Failure:
    """A fault of the node.

    number, what: those of the event.
    """

    number: int
    what: str
    fault: str

    def __str__(self) -> str:
        return f"event {self.number} ({self.what}): {self.fault}"


@dataclass
class Figures:
    """The figures of a run.

    processed: number of images.
    found: number of series of images in which hands were found and followed.
    slowest: seconds, of all that was not processed, the least of up to three times each.
    stall: the same, but the first time.
    longest: seconds, of all that was processed.
    memory: megabytes that the node held when its first episode began, and its last one.
    """

    events: int = 0
    processed: int = 0
    found: int = 0
    slowest: float = 0.0
    stall: float = 0.0
    longest: float = 0.0
    memory: tuple[float, float] = (0.0, 0.0)


class FuzzRun:
    """A run of events against a node; use as a context manager.

    log: file that takes what the node prints.
    entry_point: function that the node's process runs.
    """

    def __init__(self, seed: int, log: Path, entry_point: EntryPoint = run_node) -> None:
        self.figures = Figures()
        self._seed = seed
        self._log = log
        self._entry_point = entry_point
        self._client: Client | None = None
        self._setting: Setting | None = None
        self._number = 0

    def __enter__(self) -> FuzzRun:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def play(self, number: int) -> list[Failure]:
        """Send one event and return its failures."""
        self._number = number
        setting = make_setting(self._seed, number)
        what = "new episode"
        faults: list[str] = []
        try:
            if setting != self._setting or self._client is None:
                faults += self._begin(setting)
            event = make_event(self._seed, number, setting)
            what = event.what
            faults += self._play(event, setting)
            if number % HANDS_EVERY == HANDS_EVERY - 1:
                faults += self._send_hand_images(make_hands_event(self._seed, number, setting))
        except NoAnswerError as error:
            faults.append(str(error))
            self._end()
        self.figures.events += 1
        return [Failure(number, what, fault) for fault in faults]

    def settle(self) -> list[Failure]:
        """Return a failure if diagnostics differ from what was counted."""
        try:
            faults = self._differences()
        except NoAnswerError as error:
            faults = [str(error)]
        return [Failure(self._number, "at the end", fault) for fault in faults]

    # An episode

    def _begin(self, setting: Setting) -> list[str]:
        """Set the node up for an episode, and check that it places no hands without intrinsics."""
        faults = self._differences()
        if self._client is None:
            self._client = Client(self._log, self._entry_point)
        self._client.set_up(
            image_transport="compressed" if setting.compressed else "raw",
            rectified=setting.rectified,
            assumed_horizontal_fov=_ASSUMED_FOV if setting.guess else 0.0,
            use_sim_time=setting.sim_time,
        )
        self._client.monitor_outputs(setting.with_pictures)
        self._setting = setting
        self._info: CameraInfo | None = None
        self._counts: Counter[str] = Counter()
        self._clock = _START
        self._stamp_history = stamps.StampHistory()
        return faults + self._exchange_first_messages(self._client, setting)

    def _exchange_first_messages(self, client: Client, setting: Setting) -> list[str]:
        """Send images until hands are received: first the two sides must discover each other."""
        image = "image/compressed" if setting.compressed else "image"
        client.wait_for_subscriptions(image, "camera_info", *["/clock"] * setting.sim_time)
        first_event = _first_event(self._seed, setting)
        outcome, _ = self._send_image(client, first_event.image, stamps.NOW.at(self._now()))
        # A clock of an earlier episode may still hold.
        right = doubtful(NO_CLOCK, FUTURE) if setting.guess else broken(NO_INFO, NO_CLOCK, FUTURE)
        faults = []
        if not right.allows(outcome):
            faults.append(f"'{outcome}' before any CameraInfo; right is: {right}")
        for _ in range(10):
            self._send_before(client, first_event)
            outcome, _ = self._send_image(client, first_event.image, stamps.NOW.at(self._now()))
            if outcome != PROCESSED:
                return [*faults, f"the first sound image is refused as '{outcome}'"]
            if client.listen(lambda: bool(client.arrays), seconds=1.0):
                client.listen(lambda: False, seconds=0.2)  # and receive those of earlier images
                client.arrays.clear()
                client.transforms.clear()
                held = client.node_under_test.memory[0]
                self.figures.memory = (self.figures.memory[0] or held, held)
                return faults
        raise NoAnswerError("images are processed, but no hands are heard")

    def _differences(self) -> list[str]:
        if self._client is None or self._setting is None:
            return []
        expected = {
            "frames received": self._counts.total(),
            "frames processed": self._counts[PROCESSED],
            **{f"dropped: {k}": n for k, n in self._counts.items() if k != PROCESSED},
        }
        received = self._client.diagnostics
        received.clear()

        def shown() -> dict[str, int]:
            values = received[-1].status[0].values if received else []
            return {
                v.key: int(v.value)
                for v in values
                if v.key in expected or v.key.startswith("dropped: ")
            }

        self._client.listen(lambda: shown() == expected or len(received) >= _MAX_DIAGNOSTICS)
        if shown() == expected:
            return []
        return [f"diagnostics say {shown()}, where {expected} is right"]

    def _end(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = self._setting = None

    # An event

    def _play(self, event: Event, setting: Setting) -> Iterator[str]:
        """Yield the faults of the answer to an event."""
        assert self._client is not None
        client = self._client
        most = client.node_under_test.memory[1]
        slow = self._send_before(client, event)
        if slow > QUICK:
            yield f"its CameraInfo or /clock took {1e3 * slow:.0f} ms"
        outcome, seconds, _ = yield from self._send_and_check(client, event)
        limit = LONG if outcome == PROCESSED else QUICK
        first, attempts = seconds, 1
        while seconds > limit and attempts < _ATTEMPTS:
            _, took, _ = yield from self._send_and_check(client, event)
            seconds, attempts = min(seconds, took), attempts + 1
        if outcome == PROCESSED:
            self.figures.longest = max(self.figures.longest, seconds)
        else:
            self.figures.slowest = max(self.figures.slowest, seconds)
            self.figures.stall = max(self.figures.stall, first)
        if seconds > limit:
            done = outcome if outcome == PROCESSED else f"refused as '{outcome}'"
            yield f"{done} only after {1e3 * seconds:.0f} ms"
        if (more := client.node_under_test.memory[1] - most) > _MAX_MEMORY_GROWTH:
            yield f"took {more:.0f} MB of memory"

    def _send_and_check(
        self, client: Client, event: Event
    ) -> Generator[str, None, tuple[str, float, HandMeshArray | None]]:
        """Send the image of an event, and yield the faults of its outcome and its answer.

        Returns the outcome, the seconds until then, and the hands of an image that was processed.
        """
        stamp = event.stamp.at(self._now())
        expected = event.expected & self._stamp_history.expected(stamp, self._now())
        outcome, seconds = self._send_image(client, event.image, stamp)
        self.figures.processed += outcome == PROCESSED
        if not expected.allows(outcome):
            done = outcome if outcome == PROCESSED else f"refused as '{outcome}'"
            yield f"{done}; right is: {expected}"
        if outcome != PROCESSED:
            return outcome, seconds, None
        array, faults = self._faults_of_answer(client, event.image.header)
        yield from faults
        return outcome, seconds, array

    def _send_hand_images(self, event: Event) -> Iterator[str]:
        """Yield the faults of the answers to a series of images of hands."""
        assert self._client is not None
        client, states = self._client, []
        # The first few may be refused for a stamp before them that was ahead.
        for _ in range(_HAND_IMAGES + stamps.LATE_RUN):
            self._send_before(client, event)
            outcome, _, array = yield from self._send_and_check(client, event)
            if outcome == PROCESSED:
                states.append(
                    {hand.track_state for hand in visible_hands(array)} if array else set()
                )
            if len(states) == _HAND_IMAGES:
                break
        if len(states) < _HAND_IMAGES - 1:  # the clock stands still, or goes back
            return
        if HandMesh.TRACKED in states[-1]:
            self.figures.found += 1
        else:
            yield f"{len(states)} images of two hands in a row, and none is followed"
        output_monitor = client.output_monitor
        if output_monitor and not client.listen(
            lambda: output_monitor.has_received_all, seconds=2.0
        ):
            yield f"pictures are heard only on {sorted(output_monitor.received)}"

    def _send_before(self, client: Client, event: Event) -> float:
        """Send what must come before the image; returns the seconds that the slower of it took."""
        times = []
        if event.clock is not None:
            clock = event.clock.at(self._clock)
            times.append(_send_quickest(client, "/clock", Clock(clock=clock)))
            if clock.sec >= 0:  # no clock shows less
                self._clock = stamps.nanoseconds(clock)
        if event.info != self._info:
            times.append(_send_quickest(client, "camera_info", event.info))
            self._info = event.info
        slow = max((least for least, _ in times), default=0.0)
        self.figures.slowest = max(self.figures.slowest, slow)
        self.figures.stall = max([self.figures.stall, *(first for _, first in times)])
        return slow

    def _faults_of_answer(
        self, client: Client, header: Header
    ) -> tuple[HandMeshArray | None, list[str]]:
        """Return the answer to an image that was processed, and its faults."""

        def own() -> list[HandMeshArray]:
            return [array for array in client.arrays if array.header == header]

        def is_over() -> bool:
            has_frames = bool(client.transforms) or not own() or not visible_hands(own()[-1])
            return bool(client.arrays) and has_frames

        is_whole = client.listen(is_over) and bool(own())
        faults = [
            f"hands under {header_text(array.header)}, where no image was processed"
            for array in client.arrays
            if array.header != header
        ]
        if not is_whole:
            faults.append("processed, but no hands or no transforms were published")
        elif len(own()) > 1:
            faults.append(f"answered {len(own())} times")
        else:
            faults += check_answer(own()[0], client.transforms)
        if client.output_monitor is not None:
            faults += client.output_monitor.faults()
        answer = own()[-1] if own() else None
        client.arrays.clear()
        client.transforms.clear()
        return answer, faults

    def _send_image(self, client: Client, image: ImageMessage, stamp: Time) -> tuple[str, float]:
        """Send an image; returns its outcome and the seconds until then."""
        image.header.stamp = stamp
        begin = client.send("image" if isinstance(image, Image) else "image/compressed", image)
        client.next_report("received")
        outcome = client.next_report("counted")
        self._counts[outcome.text] += 1
        self._stamp_history.add(stamp, outcome.text)
        if outcome.text == PROCESSED and client.output_monitor is not None:
            client.output_monitor.processed(_copy(image.header))
        return outcome.text, outcome.at - begin

    def _now(self) -> int:
        """Return the time of the node's clock, nanoseconds."""
        return (
            self._clock if self._setting is not None and self._setting.sim_time else time.time_ns()
        )


def _copy(header: Header) -> Header:
    """Return a copy of the header: an event's image gets another stamp when it is sent again."""
    stamp = Time(sec=header.stamp.sec, nanosec=header.stamp.nanosec)
    return Header(stamp=stamp, frame_id=header.frame_id)


def _send_quickest(client: Client, topic: str, message: Any) -> tuple[float, float]:
    """Send a message, again if it was slow; returns the least and the first time to arrival."""
    times: list[float] = []
    while len(times) < _ATTEMPTS and (not times or times[-1] > QUICK):
        begin = client.send(topic, message)
        times.append(client.next_report("took", topic).at - begin)
    return min(times), times[0]


def _first_event(seed: int, setting: Setting) -> Event:
    """Return a sound event, of a number that no run reaches."""
    events = (make_event(seed, number, setting) for number in count(10**12))
    return next(candidate for candidate in events if candidate.what == SOUND_IMAGE)
