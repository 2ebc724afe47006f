"""Names of the TF frames of hands: few, and constant for as long as a hand is tracked.

A tf buffer never forgets a frame that it has seen, so names must not contain track ids.  The
first left hand is ``hand_left``, a second one seen at the same time ``hand_left_2``, and a name
is given to another hand once its own has been away for a while.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

from hamer_ros.errors import ConfigurationError
from hamer_ros.hands import Handedness, TrackedHand

KEEP_FOR = 1.0
"""Seconds for which an absent hand keeps its name."""


def check_prefix(prefix: str) -> None:
    """Check that names of frames can begin with a text.

    Raises:
        ConfigurationError: tf2 takes no slash at the beginning, and spaces and other special
            characters are lost in launch files, shells and URDF.
    """
    if not re.fullmatch(r"([\w.-]+(/[\w.-]+)*/?)?", prefix, re.ASCII):
        raise ConfigurationError(
            f"tf_prefix is '{prefix}'; it is made of letters, digits and _ - . with / between "
            "them, such as left_ or robot1/"
        )


class FrameNames:
    """Assigns the names of one camera's hands.

    prefix: put before every name, for several cameras on one robot.
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._slots: dict[tuple[Handedness, int], tuple[int, float]] = {}

    def assign(self, hands: Iterable[TrackedHand], stamp: float) -> list[str]:
        """Return a name for each hand of the frame at this stamp (seconds)."""
        self._slots = {
            slot: (track, seen)
            for slot, (track, seen) in self._slots.items()
            if 0 <= stamp - seen <= KEEP_FOR
        }
        return [self._name(hand, stamp) for hand in hands]

    def _name(self, hand: TrackedHand, stamp: float) -> str:
        handedness = hand.placed.hand.handedness
        taken = {
            number: track for (s, number), (track, _) in self._slots.items() if s is handedness
        }
        own = [number for number, track in taken.items() if track == hand.track_id]
        number = own[0] if own else next(n for n in itertools.count(1) if n not in taken)
        self._slots[handedness, number] = hand.track_id, stamp
        suffix = "" if number == 1 else f"_{number}"
        return f"{self._prefix}hand_{handedness.name.lower()}{suffix}"
