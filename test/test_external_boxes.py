"""Boxes that come with a frame become detections."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import CAMERA

from hamer_ros.detection import DetectorOptions, make_detector
from hamer_ros.detection.external import ExternalDetector
from hamer_ros.hands import ExternalBox, Frame, Handedness

IMAGE = np.zeros((480, 640, 3), np.uint8)
LEFT, RIGHT = [10.0, 20, 110, 140], [300.0, 200, 420, 310]


def frame(*boxes: tuple, stamp: float = 1.0) -> Frame:
    """A frame with boxes of (corners, side, score)."""
    external = tuple(
        ExternalBox(np.array(box), handedness, score) for box, handedness, score in boxes
    )
    return Frame(IMAGE, stamp, CAMERA, boxes=external)


@pytest.fixture
def detector():
    return ExternalDetector()


def test_boxes_are_taken_as_they_are(detector):
    left, right = detector.detect(
        frame((LEFT, Handedness.LEFT, 0.9), (RIGHT, Handedness.RIGHT, 0.3))
    )
    np.testing.assert_array_equal([left.bounding_box, right.bounding_box], [LEFT, RIGHT])
    assert (left.handedness, right.handedness) == (Handedness.LEFT, Handedness.RIGHT)
    assert (left.score, right.score) == (0.9, 0.3)
    assert left.landmarks is None
    (again,) = detector.detect(frame((RIGHT, Handedness.RIGHT, 0.8), stamp=2.0))
    assert again.detection_id == right.detection_id


@pytest.mark.parametrize("boxes", [(), None])
def test_a_frame_without_boxes_has_no_hands(detector, boxes):
    assert detector.detect(Frame(IMAGE, 1.0, CAMERA, boxes=boxes)) == []


def test_a_side_that_is_not_given_is_looked_at():
    detector = ExternalDetector(look=lambda rgb, box: 0.05)
    for stamp in range(3):
        (seen,) = detector.detect(frame((LEFT, None, 0.9), stamp=stamp))
        assert seen.handedness is Handedness.LEFT
    assert seen.handedness_score > 0.99


def test_no_more_hands_than_asked_for():
    detector = make_detector("external", DetectorOptions(max_hands=1))
    (seen,) = detector.detect(frame((LEFT, Handedness.LEFT, 0.3), (RIGHT, Handedness.RIGHT, 0.9)))
    assert seen.handedness is Handedness.RIGHT


@pytest.mark.parametrize(
    ("box", "score", "match"),
    [
        ([0, 0, np.nan, 1], 0.5, "no box"),
        ([0, 0, 0, 1], 0.5, "no box"),
        ([10, 0, 0, 1], 0.5, "no box"),
        (LEFT, 1.5, "score 1.5"),
        (LEFT, float("nan"), "score nan"),
    ],
)
def test_what_is_no_box_is_refused(box, score, match):
    with pytest.raises(ValueError, match=match):
        ExternalBox(np.array(box, float), Handedness.LEFT, score)
