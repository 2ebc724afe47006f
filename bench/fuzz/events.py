"""Events of the fuzz run: an image, what precedes it, and its expected outcome, by seed and number.

An event is a function of its seed, its number and the node's setting alone, so that each can be
made again.  Most of its parts are sound; one or a few are not, and the expected outcomes of the
parts together are that of the image.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from sensor_msgs.msg import CameraInfo

from bench.fuzz import camera_infos, compressed_images, pictures, raw_images, stamps
from bench.fuzz.expected_outcome import (
    NO_FRAME,
    SOUND,
    UNCALIBRATED,
    ExpectedOutcome,
    broken,
    doubtful,
)
from hamer_ros.ros.input.subscriptions import ImageMessage

EPISODE = 500
"""Number of events with one setting of the node."""

FRAME_IDS = ("camera_optical_frame", "left", "a/b", "カメラ", "\U0001f590", "x" * 5000, " ")
"""Names of frames; TF has rules for them, but the node only passes them on."""

SOUND_IMAGE = "sound image"

_HANDS = 0.06
"""Share of images with hands, among those that may be processed."""


@dataclass(frozen=True)
class Setting:
    """The configuration of the node during an episode.

    guess: it assumes a field of view where a camera is not calibrated.
    with_pictures: its pictures have a subscriber.
    """

    compressed: bool
    rectified: bool
    sim_time: bool
    guess: bool
    with_pictures: bool


@dataclass(frozen=True)
class Event:
    """One image, the messages before it, and its expected outcome.

    what: the event in words.
    image: with a frame_id, but no stamp yet.
    info: must be the last one that the node has received.
    clock: stamp of a /clock message before the image, None without simulated time.
    expected: outcome but for the stamp, see `stamps.StampHistory.expected`.
    """

    number: int
    what: str
    image: ImageMessage
    info: CameraInfo
    stamp: stamps.Stamp
    clock: stamps.Stamp | None
    expected: ExpectedOutcome


def make_setting(seed: int, number: int) -> Setting:
    """Return the node's setting at an event."""
    episode = number // EPISODE
    # Raw and compressed in turn, the rest at random.
    rest = np.random.default_rng([seed, episode]).random(4) < (0.3, 0.4, 0.2, 0.3)
    return Setting(episode % 2 == 1, *map(bool, rest))


def make_event(seed: int, number: int, setting: Setting) -> Event:
    """Return one event."""
    rng = np.random.default_rng([seed, number, 1])
    parts = _broken_parts(rng)
    hands = "image" not in parts and bool(rng.random() < _HANDS)
    event = _image(rng, setting.compressed, hands, "image" in parts)
    if "info" in parts:
        what, info, expected = camera_infos.damaged(rng, event.info, setting.rectified)
        if setting.guess and UNCALIBRATED in expected.reasons:
            expected = SOUND if expected == broken(UNCALIBRATED) else doubtful(*expected.reasons)
        event = _combined(event, f"intrinsics: {what}", expected, info=info)
    event = _with_frame(rng, event, "frame" in parts)
    event = _with_stamp(rng, event, "stamp" in parts)
    if setting.sim_time:
        event = _with_clock(rng, event)
    return replace(event, number=number)


def make_hands_event(seed: int, number: int, setting: Setting) -> Event:
    """Return a sound image of two hands, large enough that they must be found."""
    rng = np.random.default_rng([seed, number, 2])
    rgb = pictures.large_hands(rng)
    height, width = rgb.shape[:2]
    make = compressed_images.of_rgb if setting.compressed else raw_images.of_rgb
    info = camera_infos.sound(rng, width, height)
    event = Event(number, "image of hands", make(rgb), info, stamps.NOW, None, SOUND)
    event.image.header.frame_id = FRAME_IDS[0]
    return replace(event, clock=stamps.CLOCKS["clock goes on"]) if setting.sim_time else event


def _broken_parts(rng: np.random.Generator) -> set[str]:
    names = ["image", "info", "frame", "stamp"]
    draw = rng.random()
    if draw < 0.04:
        return set()
    if draw < 0.90:
        return {str(rng.choice(names, p=[0.74, 0.20, 0.03, 0.03]))}
    return set(map(str, rng.choice(names, 2, replace=False)))


def _image(rng: np.random.Generator, compressed: bool, hands: bool, damage: bool) -> Event:
    what, expected = SOUND_IMAGE + hands * " of hands", SOUND
    image: ImageMessage
    if compressed:
        image, (width, height) = compressed_images.sound(rng, hands)
    else:
        image = raw_images.sound(rng, hands)
        width, height = image.width, image.height
    info = camera_infos.sound(rng, width, height)
    if damage and compressed:
        what, image, expected = compressed_images.damaged(rng, image)
    elif damage:
        what, image, expected = raw_images.damaged(rng, image)
    return Event(0, what, image, info, stamps.NOW, None, expected)


def _with_frame(rng: np.random.Generator, event: Event, damage: bool) -> Event:
    if damage and rng.random() < 0.5:
        return _combined(event, "frame_id empty", broken(NO_FRAME))
    name = FRAME_IDS[int(rng.integers(len(FRAME_IDS)))] if damage else FRAME_IDS[0]
    event.image.header.frame_id = name
    return _combined(event, f"frame_id {name[:8]}", SOUND) if damage else event


def _with_stamp(rng: np.random.Generator, event: Event, damage: bool) -> Event:
    if not damage:
        return event
    what, stamp = stamps.damaged(rng)
    return _combined(event, what, SOUND, stamp=stamp)


def _with_clock(rng: np.random.Generator, event: Event) -> Event:
    names = list(stamps.CLOCKS)
    name = str(rng.choice(names)) if rng.random() < 0.2 else names[0]
    clock = stamps.CLOCKS[name]
    if name == names[0]:
        return replace(event, clock=clock)
    return _combined(event, name, SOUND, clock=clock)


def _combined(event: Event, what: str, expected: ExpectedOutcome, **parts: object) -> Event:
    """Return the event with one more property."""
    combined: dict[str, object] = {
        "what": f"{event.what}; {what}",
        "expected": event.expected & expected,
        **parts,
    }
    return replace(event, **combined)  # type: ignore[arg-type]
