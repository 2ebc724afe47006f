"""Event number k of a seed: an image, the CameraInfo and the clock before it, and what is right.

An event is a function of its seed, its number and the node's setting alone, so that any can be
made again.  Most of its parts are sound; one or a few are not, and the verdicts of the parts
together are what the node may do with the image.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from sensor_msgs.msg import CameraInfo

from hamer_ros.bench.faults import camera_infos, compressed_images, pictures, raw_images, stamps
from hamer_ros.bench.faults.verdict import NO_FRAME, SOUND, UNCALIBRATED, Verdict, broken, doubtful
from hamer_ros.ros.inputs import ImageMessage

EPISODE = 500
"""Events from one setting of the node to the next."""

FRAME_IDS = ("camera_optical_frame", "left", "a/b", "カメラ", "\U0001f590", "x" * 5000, " ")
"""Names of frames; TF has rules for them, but the node only passes them on."""

SOUND_IMAGE = "sound image"

_HANDS = 0.06
"""Fraction of images with hands, among those that may be processed."""


@dataclass(frozen=True)
class Setting:
    """How the node is set during an episode.

    guess: whether it assumes a field of view where a camera is not calibrated.
    looked_at: whether somebody looks at its pictures.
    """

    compressed: bool
    rectified: bool
    sim_time: bool
    guess: bool
    looked_at: bool


@dataclass(frozen=True)
class Event:
    """One image, what goes before it, and what must come of it.

    what: the event in words.  image: with a frame_id, but no stamp yet.
    info: must be the last one that the node has received.
    clock: what /clock does before the image, None without simulated time.
    verdict: but for the stamp, see `stamps.verdict`.
    """

    number: int
    what: str
    image: ImageMessage
    info: CameraInfo
    stamp: stamps.Stamp
    clock: stamps.Stamp | None
    verdict: Verdict


def setting(seed: int, number: int) -> Setting:
    """The node's setting at an event."""
    episode = number // EPISODE
    # Raw and compressed in turn, the rest at random.
    rest = np.random.default_rng([seed, episode]).random(4) < (0.3, 0.4, 0.2, 0.3)
    return Setting(episode % 2 == 1, *map(bool, rest))


def event(seed: int, number: int, how: Setting) -> Event:
    """Make one event."""
    rng = np.random.default_rng([seed, number, 1])
    parts = _broken_parts(rng)
    hands = "image" not in parts and bool(rng.random() < _HANDS)
    made = _image(rng, how.compressed, hands, "image" in parts)
    if "info" in parts:
        what, info, verdict = camera_infos.damaged(rng, made.info, how.rectified)
        if how.guess and UNCALIBRATED in verdict.reasons:
            verdict = SOUND if verdict == broken(UNCALIBRATED) else doubtful(*verdict.reasons)
        made = _and(made, f"intrinsics: {what}", verdict, info=info)
    made = _with_frame(rng, made, "frame" in parts)
    made = _with_stamp(rng, made, "stamp" in parts)
    if how.sim_time:
        made = _with_clock(rng, made)
    return replace(made, number=number)


def hands_event(seed: int, number: int, how: Setting) -> Event:
    """A sound image of two hands, large enough that they must be found."""
    rng = np.random.default_rng([seed, number, 2])
    rgb = pictures.large_hands(rng)
    height, width = rgb.shape[:2]
    make = compressed_images.of_rgb if how.compressed else raw_images.of_rgb
    info = camera_infos.sound(rng, width, height)
    made = Event(number, "image of hands", make(rgb), info, stamps.NOW, None, SOUND)
    made.image.header.frame_id = FRAME_IDS[0]
    return replace(made, clock=stamps.CLOCKS["clock goes on"]) if how.sim_time else made


def _broken_parts(rng: np.random.Generator) -> set[str]:
    names = ["image", "info", "frame", "stamp"]
    draw = rng.random()
    if draw < 0.04:
        return set()
    if draw < 0.90:
        return {str(rng.choice(names, p=[0.74, 0.20, 0.03, 0.03]))}
    return set(map(str, rng.choice(names, 2, replace=False)))


def _image(rng: np.random.Generator, compressed: bool, hands: bool, damage: bool) -> Event:
    what, verdict = SOUND_IMAGE + hands * " of hands", SOUND
    image: ImageMessage
    if compressed:
        image, (width, height) = compressed_images.sound(rng, hands)
    else:
        image = raw_images.sound(rng, hands)
        width, height = image.width, image.height
    info = camera_infos.sound(rng, width, height)
    if damage and compressed:
        what, image, verdict = compressed_images.damaged(rng, image)
    elif damage:
        what, image, verdict = raw_images.damaged(rng, image)
    return Event(0, what, image, info, stamps.NOW, None, verdict)


def _with_frame(rng: np.random.Generator, event: Event, damage: bool) -> Event:
    if damage and rng.random() < 0.5:
        return _and(event, "frame_id empty", broken(NO_FRAME))
    name = FRAME_IDS[int(rng.integers(len(FRAME_IDS)))] if damage else FRAME_IDS[0]
    event.image.header.frame_id = name
    return _and(event, f"frame_id {name[:8]}", SOUND) if damage else event


def _with_stamp(rng: np.random.Generator, event: Event, damage: bool) -> Event:
    if not damage:
        return event
    what, stamp = stamps.damaged(rng)
    return _and(event, what, SOUND, stamp=stamp)


def _with_clock(rng: np.random.Generator, event: Event) -> Event:
    names = list(stamps.CLOCKS)
    name = str(rng.choice(names)) if rng.random() < 0.2 else names[0]
    clock = stamps.CLOCKS[name]
    if name == names[0]:
        return replace(event, clock=clock)
    return _and(event, name, SOUND, clock=clock)


def _and(event: Event, what: str, verdict: Verdict, **parts: object) -> Event:
    """The event with one more thing about it."""
    together: dict[str, object] = {
        "what": f"{event.what}; {what}",
        "verdict": event.verdict & verdict,
        **parts,
    }
    return replace(event, **together)  # type: ignore[arg-type]
