"""Sends events to the node over DDS, one after the other, and sees that each is answered rightly.

An event is over when the node has counted its image.  An image that was processed must be answered
by hands under its own header, which are judged; one that was refused, by nothing.  Now and then
sound images of two hands come in a row, which must be found and followed, whatever went before.  At
the end of an episode the diagnostics must show exactly the sums of what was counted.

A hang
    An image that is refused, a CameraInfo or a /clock is done with more than `QUICK` after it was
    handed to DDS, or an image is processed in more than `LONG`, and again so when it is sent a
    second and a third time: on a machine that others use, too, a single time tells nothing.  What
    takes longer than `PATIENCE` is a hang at once.
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

from hamer_ros.bench.faults import stamps
from hamer_ros.bench.faults.conversation import Conversation, NoAnswerError
from hamer_ros.bench.faults.events import SOUND_IMAGE, Event, Setting, event, hands_event, setting
from hamer_ros.bench.faults.judge import judge, seen, words
from hamer_ros.bench.faults.patient import Life, live
from hamer_ros.bench.faults.verdict import FUTURE, NO_CLOCK, NO_INFO, PROCESSED, broken, doubtful
from hamer_ros.msg import HandMesh, HandMeshArray
from hamer_ros.ros.inputs import ImageMessage

QUICK = 0.1
"""Seconds within which a message that cannot be used must be done with."""
LONG = 1.0
"""Seconds within which an image must be processed: a search of a large one takes a third of it."""
_ATTEMPTS = 3
HANDS_EVERY = 200
"""Events from one row of images of hands to the next."""
_ROW = 6
"""Images in such a row."""
_GREEDY = 256.0
"""Megabytes by which no event may raise the most memory that the node has held."""
_START = 1_700_000_000 * stamps.SECOND
"""Where simulated time begins, nanoseconds."""
_LOOKS = 3
"""Diagnostics, of which one must show the sums: the first may be older than the last image."""
_GUESS = 60.0
"""Degrees of the field of view to assume, where the node is to guess it."""


@dataclass(frozen=True)
class Failure:
    """What the node should not have done.

    number, what: of the event.
    """

    number: int
    what: str
    fault: str

    def __str__(self) -> str:
        return f"event {self.number} ({self.what}): {self.fault}"


@dataclass
class Figures:
    """What is known at the end.

    processed: images.  found: rows of images in which hands were found and followed.
    slowest: seconds, of all that was not processed, the least of up to three times each.
    stall: the same, but the first time.  longest: seconds, of all that was processed.
    memory: megabytes that the node held when its first episode began, and its last one.
    """

    events: int = 0
    processed: int = 0
    found: int = 0
    slowest: float = 0.0
    stall: float = 0.0
    longest: float = 0.0
    memory: tuple[float, float] = (0.0, 0.0)


class Campaign:
    """Use as a context.

    log: file that takes what the node prints.  life: what its process does.
    """

    def __init__(self, seed: int, log: Path, life: Life = live) -> None:
        self.figures = Figures()
        self._seed = seed
        self._log = log
        self._life = life
        self._talk: Conversation | None = None
        self._how: Setting | None = None
        self._number = 0

    def __enter__(self) -> Campaign:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def play(self, number: int) -> list[Failure]:
        """Send one event and say what went wrong, if anything did."""
        self._number = number
        how = setting(self._seed, number)
        what = "new episode"
        faults: list[str] = []
        try:
            if how != self._how or self._talk is None:
                faults += self._begin(how)
            made = event(self._seed, number, how)
            what = made.what
            faults += self._play(made, how)
            if number % HANDS_EVERY == HANDS_EVERY - 1:
                faults += self._show_hands(hands_event(self._seed, number, how))
        except NoAnswerError as error:
            faults.append(str(error))
            self._end()
        self.figures.events += 1
        return [Failure(number, what, fault) for fault in faults]

    def settle(self) -> list[Failure]:
        """What diagnostics count otherwise than it was."""
        try:
            faults = self._differences()
        except NoAnswerError as error:
            faults = [str(error)]
        return [Failure(self._number, "at the end", fault) for fault in faults]

    # An episode

    def _begin(self, how: Setting) -> list[str]:
        """Set the node for an episode, and see that it does not place hands without intrinsics."""
        faults = self._differences()
        if self._talk is None:
            self._talk = Conversation(self._log, self._life)
        self._talk.set_up(
            image_transport="compressed" if how.compressed else "raw",
            rectified=how.rectified,
            assumed_horizontal_fov=_GUESS if how.guess else 0.0,
            use_sim_time=how.sim_time,
        )
        self._talk.look(how.looked_at)
        self._how = how
        self._info: CameraInfo | None = None
        self._counts: Counter[str] = Counter()
        self._clock = _START
        self._course = stamps.Course()
        return faults + self._greet(self._talk, how)

    def _greet(self, talk: Conversation, how: Setting) -> list[str]:
        """Images until hands are heard: the two sides may still have to find each other."""
        image = "image/compressed" if how.compressed else "image"
        talk.wait_for_subscriptions(image, "camera_info", *["/clock"] * how.sim_time)
        greeting = _greeting(self._seed, how)
        outcome, _ = self._show(talk, greeting.image, stamps.NOW.at(self._now()))
        # A clock of an earlier episode may still hold.
        right = doubtful(NO_CLOCK, FUTURE) if how.guess else broken(NO_INFO, NO_CLOCK, FUTURE)
        faults = []
        if not right.allows(outcome):
            faults.append(f"'{outcome}' before any CameraInfo; right is: {right}")
        for _ in range(10):
            self._send_before(talk, greeting)
            outcome, _ = self._show(talk, greeting.image, stamps.NOW.at(self._now()))
            if outcome != PROCESSED:
                return [*faults, f"the first sound image is refused as '{outcome}'"]
            if talk.listen(lambda: bool(talk.arrays), seconds=1.0):
                talk.listen(lambda: False, seconds=0.2)  # and to those of images before
                talk.arrays.clear()
                talk.transforms.clear()
                held = talk.patient.memory[0]
                self.figures.memory = (self.figures.memory[0] or held, held)
                return faults
        raise NoAnswerError("images are processed, but no hands are heard")

    def _differences(self) -> list[str]:
        if self._talk is None or self._how is None:
            return []
        expected = {
            "frames received": self._counts.total(),
            "frames processed": self._counts[PROCESSED],
            **{f"dropped: {k}": n for k, n in self._counts.items() if k != PROCESSED},
        }
        heard = self._talk.diagnostics
        heard.clear()

        def shown() -> dict[str, int]:
            values = heard[-1].status[0].values if heard else []
            return {
                v.key: int(v.value)
                for v in values
                if v.key in expected or v.key.startswith("dropped: ")
            }

        self._talk.listen(lambda: shown() == expected or len(heard) >= _LOOKS)
        if shown() == expected:
            return []
        return [f"diagnostics say {shown()}, where {expected} is right"]

    def _end(self) -> None:
        if self._talk is not None:
            self._talk.close()
        self._talk = self._how = None

    # An event

    def _play(self, made: Event, how: Setting) -> Iterator[str]:
        """What is wrong about the answer to an event."""
        assert self._talk is not None
        talk = self._talk
        most = talk.patient.memory[1]
        slow = self._send_before(talk, made)
        if slow > QUICK:
            yield f"its CameraInfo or /clock took {1e3 * slow:.0f} ms"
        outcome, seconds, _ = yield from self._try(talk, made)
        limit = LONG if outcome == PROCESSED else QUICK
        first, attempts = seconds, 1
        while seconds > limit and attempts < _ATTEMPTS:
            _, took, _ = yield from self._try(talk, made)
            seconds, attempts = min(seconds, took), attempts + 1
        if outcome == PROCESSED:
            self.figures.longest = max(self.figures.longest, seconds)
        else:
            self.figures.slowest = max(self.figures.slowest, seconds)
            self.figures.stall = max(self.figures.stall, first)
        if seconds > limit:
            done = outcome if outcome == PROCESSED else f"refused as '{outcome}'"
            yield f"{done} only after {1e3 * seconds:.0f} ms"
        if (more := talk.patient.memory[1] - most) > _GREEDY:
            yield f"took {more:.0f} MB of memory"

    def _try(
        self, talk: Conversation, made: Event
    ) -> Generator[str, None, tuple[str, float, HandMeshArray | None]]:
        """Send the image of an event, and say what is wrong about its outcome and its answer.

        Returns the outcome, the seconds until then, and the hands of an image that was processed.
        """
        stamp = made.stamp.at(self._now())
        verdict = made.verdict & self._course.verdict(stamp, self._now())
        outcome, seconds = self._show(talk, made.image, stamp)
        self.figures.processed += outcome == PROCESSED
        if not verdict.allows(outcome):
            done = outcome if outcome == PROCESSED else f"refused as '{outcome}'"
            yield f"{done}; right is: {verdict}"
        if outcome != PROCESSED:
            return outcome, seconds, None
        array, faults = self._faults_of_answer(talk, made.image.header)
        yield from faults
        return outcome, seconds, array

    def _show_hands(self, made: Event) -> Iterator[str]:
        """What is wrong when images of hands come in a row."""
        assert self._talk is not None
        talk, states = self._talk, []
        # The first few may be refused for a stamp before them that was ahead.
        for _ in range(_ROW + stamps.LATE_RUN):
            self._send_before(talk, made)
            outcome, _, array = yield from self._try(talk, made)
            if outcome == PROCESSED:
                states.append({hand.track_state for hand in seen(array)} if array else set())
            if len(states) == _ROW:
                break
        if len(states) < _ROW - 1:  # the clock stands still, or goes back
            return
        if HandMesh.TRACKED in states[-1]:
            self.figures.found += 1
        else:
            yield f"{len(states)} images of two hands in a row, and none is followed"
        onlooker = talk.onlooker
        if onlooker and not talk.listen(lambda: onlooker.has_heard_all, seconds=2.0):
            yield f"pictures are heard only on {sorted(onlooker.heard)}"

    def _send_before(self, talk: Conversation, made: Event) -> float:
        """Send what must come before the image; the seconds that the slower of it took."""
        times = []
        if made.clock is not None:
            clock = made.clock.at(self._clock)
            times.append(_quickest(talk, "/clock", Clock(clock=clock)))
            if clock.sec >= 0:  # no clock shows less
                self._clock = stamps.nanoseconds(clock)
        if made.info != self._info:
            times.append(_quickest(talk, "camera_info", made.info))
            self._info = made.info
        slow = max((least for least, _ in times), default=0.0)
        self.figures.slowest = max(self.figures.slowest, slow)
        self.figures.stall = max([self.figures.stall, *(first for _, first in times)])
        return slow

    def _faults_of_answer(
        self, talk: Conversation, header: Header
    ) -> tuple[HandMeshArray | None, list[str]]:
        """The answer to an image that was processed, and what is wrong with it."""

        def own() -> list[HandMeshArray]:
            return [array for array in talk.arrays if array.header == header]

        def is_over() -> bool:
            has_frames = bool(talk.transforms) or not own() or not seen(own()[-1])
            return bool(talk.arrays) and has_frames

        is_whole = talk.listen(is_over) and bool(own())
        faults = [
            f"hands under {words(array.header)}, where no image was processed"
            for array in talk.arrays
            if array.header != header
        ]
        if not is_whole:
            faults.append("processed, but no hands or no transforms were published")
        elif len(own()) > 1:
            faults.append(f"answered {len(own())} times")
        else:
            faults += judge(own()[0], talk.transforms)
        if talk.onlooker is not None:
            faults += talk.onlooker.faults()
        answer = own()[-1] if own() else None
        talk.arrays.clear()
        talk.transforms.clear()
        return answer, faults

    def _show(self, talk: Conversation, image: ImageMessage, stamp: Time) -> tuple[str, float]:
        """Send an image; what came of it and the seconds until then."""
        image.header.stamp = stamp
        begin = talk.send("image" if isinstance(image, Image) else "image/compressed", image)
        talk.answer("received")
        outcome = talk.answer("counted")
        self._counts[outcome.text] += 1
        self._course.went_on(stamp, outcome.text)
        if outcome.text == PROCESSED and talk.onlooker is not None:
            talk.onlooker.processed(_copy(image.header))
        return outcome.text, outcome.at - begin

    def _now(self) -> int:
        """What the node's clock shows, nanoseconds."""
        return self._clock if self._how is not None and self._how.sim_time else time.time_ns()


def _copy(header: Header) -> Header:
    """The header as it is now: the image of an event gets another stamp when it is sent again."""
    stamp = Time(sec=header.stamp.sec, nanosec=header.stamp.nanosec)
    return Header(stamp=stamp, frame_id=header.frame_id)


def _quickest(talk: Conversation, topic: str, message: Any) -> tuple[float, float]:
    """Send a message, again if it was slow; the least and the first time until the node had it."""
    times: list[float] = []
    while len(times) < _ATTEMPTS and (not times or times[-1] > QUICK):
        begin = talk.send(topic, message)
        times.append(talk.answer("took", topic).at - begin)
    return min(times), times[0]


def _greeting(seed: int, how: Setting) -> Event:
    """A sound event, of numbers that no campaign reaches."""
    made = (event(seed, number, how) for number in count(10**12))
    return next(one for one in made if one.what == SOUND_IMAGE)
