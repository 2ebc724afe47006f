"""Boxes in an image: overlap, mirroring, and the box around points."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamer_ros.geometry.boxes import box_around, iou, mirrored_box, square_iou

place = st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(1, 12), st.integers(1, 12))


def painted(box):
    """The unit squares that a box of whole numbers covers."""
    x_min, y_min, x_max, y_max = box
    image = np.zeros((50, 50), bool)
    image[y_min:y_max, x_min:x_max] = True
    return image


@given(place, place)
def test_overlap_is_that_of_the_painted_boxes(a, b):
    a, b = ((x, y, x + w, y + h) for x, y, w, h in (a, b))
    both, either = painted(a) & painted(b), painted(a) | painted(b)
    boxes = np.array([a], float), np.array([b], float)
    assert iou(*boxes)[0, 0] == pytest.approx(both.sum() / either.sum())


@given(place, place)
def test_squares_overlap_as_boxes_do(a, b):
    centers, sizes = np.array([a[:2], b[:2]], float), np.array([a[2], b[2]], float)
    boxes = np.concatenate([centers - sizes[:, None] / 2, centers + sizes[:, None] / 2], axis=1)
    overlaps = square_iou(centers[0], sizes[0], centers, sizes)
    np.testing.assert_allclose(overlaps, iou(boxes, boxes)[0], atol=1e-12)


def test_a_mirrored_box_is_around_the_mirrored_pixels():
    image = np.zeros((6, 10), np.uint8)
    image[1:3, 2:7] = 1
    y, x = np.nonzero(cv2.flip(image, 1))
    box = mirrored_box(np.array([2, 1, 6, 2]), 10)
    np.testing.assert_array_equal(box, [x.min(), y.min(), x.max(), y.max()])


def test_the_margin_is_a_share_of_the_longer_side():
    points = np.array([[10.0, 20.0], [30.0, 25.0], [12.0, 22.0]])
    np.testing.assert_allclose(box_around(points), [10, 20, 30, 25])
    np.testing.assert_allclose(box_around(points, 0.1), [8, 18, 32, 27])
