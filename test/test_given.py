"""Boxes that come from outside find their images."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from helpers import CAMERA

from hamer_ros.detection import DetectorOptions, make_detector
from hamer_ros.detection.given import MAX_KEPT, GivenDetector
from hamer_ros.hands import Frame, Side

IMAGE = np.zeros((480, 640, 3), np.uint8)
LEFT, RIGHT = [10.0, 20, 110, 140], [300.0, 200, 420, 310]


def frame(stamp):
    return Frame(IMAGE, stamp, CAMERA)


@pytest.fixture
def detector():
    return GivenDetector()


def test_boxes_go_with_the_image_of_their_stamp(detector):
    detector.give(np.array([LEFT, RIGHT]), [Side.LEFT, Side.RIGHT], [0.9, 0.3], 1.0)
    detector.give(np.array([RIGHT]), [Side.RIGHT], [0.8], 2.0)
    left, right = detector.detect(frame(1.0))
    np.testing.assert_array_equal([left.box, right.box], [LEFT, RIGHT])
    assert (left.side, right.side) == (Side.LEFT, Side.RIGHT)
    assert (left.score, right.score) == (0.9, 0.3)
    assert left.landmarks is None
    (again,) = detector.detect(frame(2.0))
    assert again.region == right.region
    assert detector.frames_without_boxes == 0


def test_stamps_may_differ_by_what_rounding_costs(detector):
    stamp = 1_700_000_000.123456789
    detector.give(np.array([LEFT]), [Side.LEFT], [1.0], round(stamp, 3))
    assert len(detector.detect(frame(stamp))) == 1
    detector.give(np.array([LEFT]), [Side.LEFT], [1.0], stamp + 0.033)
    assert detector.detect(frame(stamp + 0.035)) == []


def test_no_hand_is_something_else_than_no_boxes(detector):
    detector.give(np.empty((0, 4)), [], [], 1.0)
    assert detector.detect(frame(1.0)) == []
    assert detector.frames_without_boxes == 0
    assert detector.detect(frame(2.0)) == []
    assert detector.frames_without_boxes == 1


def test_boxes_are_used_once_and_later_ones_count(detector):
    detector.give(np.array([LEFT]), [Side.LEFT], [1.0], 1.0)
    detector.give(np.array([RIGHT]), [Side.RIGHT], [1.0], 1.0)
    (seen,) = detector.detect(frame(1.0))
    assert seen.side is Side.RIGHT
    assert detector.detect(frame(1.0)) == []


def test_boxes_wait_through_a_reset_but_not_for_ever(detector):
    detector.give(np.array([LEFT]), [Side.LEFT], [1.0], 1.0)
    detector.reset()
    assert len(detector.detect(frame(1.0))) == 1
    for k in range(MAX_KEPT + 1):
        detector.give(np.array([LEFT]), [Side.LEFT], [1.0], float(k))
    assert detector.detect(frame(0.0)) == []
    assert len(detector.detect(frame(1.0))) == 1


def test_a_side_that_is_not_given_is_looked_at():
    detector = GivenDetector(look=lambda rgb, box: 0.05)
    for stamp in range(3):
        detector.give(np.array([LEFT]), [None], [0.9], stamp)
        (seen,) = detector.detect(frame(stamp))
        assert seen.side is Side.LEFT
    assert seen.side_score > 0.99


def test_no_more_hands_than_asked_for():
    detector = make_detector("given", DetectorOptions(max_hands=1))
    detector.give(np.array([LEFT, RIGHT]), [Side.LEFT, Side.RIGHT], [0.3, 0.9], 1.0)
    (seen,) = detector.detect(frame(1.0))
    assert seen.side is Side.RIGHT


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
def test_what_is_no_box_is_refused(detector, box, score, match):
    with pytest.raises(ValueError, match=match):
        detector.give(np.array([LEFT, box]), [Side.LEFT, Side.LEFT], [0.9, score], 1.0)
    assert detector.detect(frame(1.0)) == []
    assert detector.frames_without_boxes == 1


def test_lists_of_different_lengths_are_refused(detector):
    with pytest.raises(ValueError, match="1 boxes, 2 sides and 1 scores"):
        detector.give(np.array([LEFT]), [Side.LEFT, Side.LEFT], [1.0], 1.0)


def test_boxes_may_come_from_another_thread(detector):
    stamps = [float(k) for k in range(500)]

    def give():
        for stamp in stamps:
            detector.give(np.array([LEFT]), [Side.LEFT], [1.0], stamp)

    thread = threading.Thread(target=give)
    thread.start()
    for stamp in stamps:
        detector.detect(frame(stamp))
    thread.join()
