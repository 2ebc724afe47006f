"""hamer_ros/HandBoxes -> boxes that somebody else found.

The type is our own: vision_msgs has one that would do, but it is not part of a ROS that was just
installed, and it has no field for the side of a hand.
"""

from __future__ import annotations

import numpy as np

from hamer_ros.hands import Side, SuggestedBox
from hamer_ros.msg import HandBox, HandBoxes

_SIDES: dict[int, Side | None] = {
    HandBox.UNKNOWN: None,
    HandBox.LEFT: Side.LEFT,
    HandBox.RIGHT: Side.RIGHT,
}


def suggested_boxes(message: HandBoxes) -> tuple[SuggestedBox, ...]:
    """All boxes of one image.

    Raises:
        ValueError: one that is no box; none of the image are taken then.
    """
    return tuple(
        SuggestedBox(
            np.array(hand.bounding_box, np.float64), _side(hand), float(hand.detection_score)
        )
        for hand in message.hands
    )


def _side(hand: HandBox) -> Side | None:
    if hand.handedness not in _SIDES:
        raise ValueError(f"handedness is {hand.handedness}, none of {sorted(_SIDES)}")
    return _SIDES[hand.handedness]
