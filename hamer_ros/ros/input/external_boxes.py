"""Conversion of hamer_ros/HandBoxes to the boxes of an external detector.

The message type is this package's own: vision_msgs has one that would do, but a plain ROS
installation lacks it, and it has no field for left or right.
"""

from __future__ import annotations

import numpy as np

from hamer_ros.hands import ExternalBox, Handedness
from hamer_ros.msg import HandBox, HandBoxes

_HANDEDNESS: dict[int, Handedness | None] = {
    HandBox.UNKNOWN: None,
    HandBox.LEFT: Handedness.LEFT,
    HandBox.RIGHT: Handedness.RIGHT,
}


def external_boxes(message: HandBoxes) -> tuple[ExternalBox, ...]:
    """Return all boxes of one image.

    Raises:
        ValueError: one of them is invalid; then none of the image are used.
    """
    return tuple(
        ExternalBox(
            np.array(hand.bounding_box, np.float64), _handedness(hand), float(hand.detection_score)
        )
        for hand in message.hands
    )


def _handedness(hand: HandBox) -> Handedness | None:
    if hand.handedness not in _HANDEDNESS:
        raise ValueError(f"handedness is {hand.handedness}, none of {sorted(_HANDEDNESS)}")
    return _HANDEDNESS[hand.handedness]
