"""Measure the hand of a user over some images, and keep what was found in a file."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import yaml

from hamer_ros.hands import PlacedHand, ScaleSource, Side
from hamer_ros.placement.size import DEPTH_BIAS_SIGMA, Size, given, log_length

SAMPLES = 30
"""Images that a measurement takes."""
DISTANCE_SIGMA = 0.02
"""How well a person holds a hand at a distance that was named, relative."""
LENGTHS = (0.10, 0.30)
"""Metres that a hand's length lies between, from a child's to a giant's."""


class Measurement:
    """Collects lengths of one hand until there are enough.

    side: the hand to measure, or None for whichever is seen.
    distance: metres of the wrist from the camera, or None where a depth image says it.
    """

    def __init__(self, side: Side | None, distance: float | None) -> None:
        self._side = side
        self._distance = distance
        self._logs: list[float] = []

    def add(self, hands: list[PlacedHand]) -> Size | None:
        """Take in the hands of an image; the length, once it is known.

        An image with several hands that could be meant is not used.
        """
        meant = [h for h in hands if self._side is None or h.hand.side is self._side]
        if len(meant) != 1:
            return None
        (hand,) = meant
        if self._distance is not None:
            factor = self._distance / float(np.linalg.norm(hand.translation))
            self._logs.append(log_length(hand.joints) + math.log(factor))
        elif hand.scale_source is ScaleSource.DEPTH:
            self._logs.append(log_length(hand.joints))
        if len(self._logs) < SAMPLES:
            return None
        bias = DISTANCE_SIGMA if self._distance is not None else DEPTH_BIAS_SIGMA
        sigma = math.hypot(float(np.std(self._logs)) / math.sqrt(SAMPLES), bias)
        return given(math.exp(float(np.median(self._logs))), sigma)


def check_length(length: float) -> str | None:
    """Why this cannot be the length of a hand in metres; None if it can."""
    low, high = LENGTHS
    if low <= length <= high:
        return None
    return (
        f"a hand of {length:.3f} m from the wrist to the tip of the middle finger cannot be; "
        f"hands are {low:.2f} to {high:.2f} m long"
    )


def load_sizes(path: Path, person: str) -> dict[Side, Size]:
    """What is kept of a person; nothing where nothing is.

    Raises:
        ValueError: the file is not one that `save_sizes` wrote.
    """
    known = _read(path).get(person, {})
    try:
        return {
            Side[side.upper()]: given(float(entry["length"]), float(entry["sigma"]))
            for side, entry in known.items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _unreadable(path, error) from error


def save_sizes(path: Path, person: str, sizes: dict[Side, Size]) -> None:
    """Keep the sizes of a person beside those of others.

    Raises:
        ValueError: what is there is not a file that `save_sizes` wrote.
        OSError: it cannot be written.
    """
    everybody = _read(path)
    kept = {**everybody.get(person, {})}
    for side, size in sizes.items():
        kept[side.name.lower()] = {"length": round(size.length, 5), "sigma": round(size.sigma, 5)}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(yaml.safe_dump({**everybody, person: kept}))
    partial.replace(path)


def _read(path: Path) -> dict[str, dict]:
    """Person -> side -> what is kept of it."""
    if not path.exists():
        return {}
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except (yaml.YAMLError, ValueError) as error:
        raise _unreadable(path, error) from error
    if not isinstance(content, dict) or not all(isinstance(v, dict) for v in content.values()):
        raise _unreadable(path, TypeError("it does not hold a person's hands"))
    return content


def _unreadable(path: Path, error: Exception) -> ValueError:
    return ValueError(f"{path} cannot be read ({error!r}); calibrate again after removing it")
