"""Regions and crops: closed forms, and what must not depend on how the hand is held."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamer_ros.detection.roi import (
    Roi,
    crop,
    roi_from_landmarks,
    roi_from_palm,
    turn,
    upward_rotation,
)

angles = st.floats(-np.pi, np.pi)
shifts = st.floats(-2000, 2000)
factors = st.floats(0.05, 20)


def upright_hand():
    """21 joints, pixels: wrist below, the five fingers above it, the middle one straight up."""
    joints = [[0.0, 0.0]]
    for x in (-60, -30, 0, 30, 60):
        joints += [[x * k / 4, -100 - 25 * k] for k in (1, 2, 3, 4)]
    return np.array(joints)


def ramp(height=40, width=60):
    """An image whose red is the column and whose green is the row."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.arange(width)
    image[..., 1] = np.arange(height)[:, None]
    return image


def test_turning_is_clockwise_in_the_image():
    up, right = [0, -1], [1, 0]
    np.testing.assert_allclose(turn(np.array(up), np.pi / 2), right, atol=1e-12)
    assert upward_rotation(np.array([0, 0]), np.array(right)) == pytest.approx(np.pi / 2)


def test_crop_at_its_own_size_copies_the_pixels():
    image = ramp()
    # The centre of a 20 pixel square over the columns 10..29 lies between 19 and 20.
    seen = crop(image, Roi(19.5, 14.5, 20), 20, cv2.BORDER_CONSTANT)
    assert seen.shape == (1, 20, 20, 3)
    assert seen.dtype == np.float32
    np.testing.assert_allclose(seen[0] * 255, image[5:25, 10:30], atol=1e-4)


def test_quarter_turn_brings_the_right_side_up():
    image = ramp()
    seen = crop(image, Roi(19.5, 14.5, 20, np.pi / 2), 20, cv2.BORDER_CONSTANT)
    np.testing.assert_allclose(seen[0] * 255, np.rot90(image[5:25, 10:30]), atol=1e-4)


@given(angles, st.floats(8, 40))
def test_to_image_says_where_the_crop_looked(rotation, size):
    roi = Roi(30, 20, size, rotation)
    n = 16
    seen = crop(ramp(), roi, n, cv2.BORDER_REPLICATE)[0] * 255
    column, row = np.meshgrid(np.arange(n), np.arange(n))
    points = roi.to_image((np.stack([column, row], axis=-1) + 0.5) / n - 0.5)
    inside = np.all((points > 0) & (points < [59, 39]), axis=-1)
    assert inside.any()
    # The image is linear, so interpolation is exact but for rounding to whole grey levels
    # and OpenCV's 1/32 pixel steps.
    np.testing.assert_allclose(seen[inside][:, :2], points[inside], atol=0.6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (3, 2), (500, 3)])
@pytest.mark.parametrize("border", [cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT_101])
def test_tiny_images_can_be_cropped(shape, border):
    image = np.full((*shape, 3), 100, np.uint8)
    seen = crop(image, Roi(0, 0, 50, 0.3), 32, border)
    np.testing.assert_allclose(seen, 100 / 255, atol=1e-6)


def test_roi_of_an_upright_palm():
    keypoints = np.array([[50, 90], [40, 60], [50, 60], [60, 60], [65, 65], [35, 80], [30, 70.0]])
    roi = roi_from_palm(np.array([50.0, 75.0]), 40.0, keypoints)
    # Half a palm further up, 2.6 palms wide.
    assert (roi.x, roi.y, roi.size) == pytest.approx((50, 55, 104))
    assert roi.rotation == pytest.approx(0)


def test_roi_of_an_upright_hand():
    roi = roi_from_landmarks(upright_hand())
    # Steady joints: x from -45 (thumb IP) to 30, y from -175 to 0; a tenth of the height up.
    assert (roi.x, roi.y, roi.size) == pytest.approx((-7.5, -105, 350))
    assert roi.rotation == pytest.approx(0)


@given(angles, shifts, shifts, factors)
def test_roi_turns_grows_and_shifts_with_the_hand(angle, dx, dy, factor):
    hand = upright_hand()
    first = roi_from_landmarks(hand)
    moved = roi_from_landmarks(factor * turn(hand, angle) + [dx, dy])
    expected = factor * turn(np.array([first.x, first.y]), angle) + [dx, dy]
    np.testing.assert_allclose([moved.x, moved.y], expected, atol=1e-6)
    assert moved.size == pytest.approx(factor * first.size)
    assert np.cos(moved.rotation - angle) == pytest.approx(1)


@given(st.integers(0, 2**32 - 1))
def test_roi_ignores_how_the_fingertips_curl(seed):
    hand = upright_hand()
    curled = hand.copy()
    tips = [4, 7, 8, 11, 12, 15, 16, 19, 20]
    curled[tips] += np.random.default_rng(seed).normal(scale=30, size=(len(tips), 2))
    assert roi_from_landmarks(curled) == roi_from_landmarks(hand)
