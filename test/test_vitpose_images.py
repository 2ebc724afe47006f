"""ViTPose's crops, and what becomes of its heat maps."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamer_ros.detection.vitpose.crops import MEAN, STD, cut_crops, person_window
from hamer_ros.detection.vitpose.heat_maps import decode, merge_mirrored, person_hands
from hamer_ros.hands import Handedness

BOX = np.array([100.0, 40, 300, 440])


def bumps(points, height=1.0, sigma=2.0, shape=(64, 48)):
    """Heat maps (1, K, H, W) of points (K, 2) as ViTPose is trained to make them."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    square = (x - points[:, 0, None, None]) ** 2 + (y - points[:, 1, None, None]) ** 2
    return (height * np.exp(-square / (2 * sigma**2)))[None].astype(np.float32)


# Crops


def official_matrix(center, scale, out=(192, 256)):
    """MMPose's get_affine_transform without rotation, from its three points."""
    width = scale[0] * 200
    middle = np.array(out) / 2
    source, target = (
        np.array([point, point - [0, half], point - [half, half]], np.float32)
        for point, half in ((center, width / 2), (middle, out[0] / 2))
    )
    return cv2.getAffineTransform(source, target)


boxes = st.tuples(st.floats(0, 500), st.floats(0, 400), st.floats(5, 400), st.floats(5, 400))


@given(boxes)
def test_the_window_is_that_of_mmpose(box):
    x, y, w, h = box
    window = person_window(np.array([x, y, x + w, y + h]))
    w, h = w + 1, h + 1
    full = max(w, h * 3 / 4)
    scale = np.array([full, full / 0.75]) / 200 * 1.25
    center = np.array([x + w / 2, y + h / 2])
    matrix = official_matrix(center, scale)
    for point in ([0.0, 0.0], [192.0, 0.0], [50.0, 200.0]):
        there = window.to_image(np.array(point))
        np.testing.assert_allclose(matrix @ [*there, 1.0], point, atol=1e-2)
        # Heat maps go back by MMPose's transform_preds.
        cell = np.array(point) / 4
        expected = cell * (scale * 200) / [48, 64] + center - scale * 100
        np.testing.assert_allclose(there, expected, atol=1e-9)


def test_the_crop_shows_what_the_window_says():
    image = np.zeros((480, 640, 3), np.uint8)
    window = person_window(BOX)
    u, v = 150, 260
    cv2.circle(image, (u, v), 6, (255, 128, 0), -1)
    (crop,) = cut_crops(image, [window])
    assert crop.shape == (3, 256, 192)
    pixels = (crop.transpose(1, 2, 0) * STD + MEAN) * 255
    assert pixels.min() == pytest.approx(0, abs=1e-3)
    mass = pixels[..., 0]
    y, x = np.mgrid[:256, :192]
    seen = np.array([(x * mass).sum(), (y * mass).sum()]) / mass.sum()
    np.testing.assert_allclose(window.to_image(seen), [u, v], atol=0.1)
    np.testing.assert_allclose(pixels[..., 1], mass * 128 / 255, atol=1.5)


# Heat maps


@given(st.lists(st.tuples(st.floats(3, 44), st.floats(3, 60)), min_size=1, max_size=5))
def test_keypoints_are_found_to_a_quarter_of_a_cell(points):
    points = np.array(points)
    found, scores = decode(bumps(points))
    assert np.abs(found[0] - points).max() <= 0.26
    assert (scores > 0.93).all()


def test_keypoints_at_the_border_are_not_moved():
    found, _ = decode(bumps(np.array([[0.4, 63.0], [47.0, 0.0], [1.3, 30.0]])))
    assert found[0].tolist() == [[0, 63], [47, 0], [1, 30]]


def test_decoding_is_that_of_mmpose():
    maps = np.random.default_rng(0).random((2, 7, 64, 48)).astype(np.float32)
    found, scores = decode(maps)
    for b in range(2):
        for k in range(7):
            heat = maps[b, k]
            y, x = np.unravel_index(heat.argmax(), heat.shape)
            point = np.array([x, y], float)
            if 1 < x < 47 and 1 < y < 63:
                slope = [heat[y, x + 1] - heat[y, x - 1], heat[y + 1, x] - heat[y - 1, x]]
                point += np.sign(slope) * 0.25
            assert found[b, k].tolist() == point.tolist()
            assert scores[b, k] == heat.max()


def test_the_mirrored_crop_speaks_of_the_other_hand_one_cell_aside():
    rng = np.random.default_rng(0)
    maps, mirrored = rng.random((2, 3, 42, 64, 48))
    merged = merge_mirrored(maps, mirrored)
    for k in range(42):
        back = mirrored[:, (k + 21) % 42, :, ::-1].copy()
        back[..., 1:] = back[..., :-1].copy()
        np.testing.assert_allclose(merged[:, k], (maps[:, k] + back) / 2)


def keypoints(sure_left, sure_right):
    rng = np.random.default_rng(1)
    points = rng.uniform(5, 40, (42, 2))
    scores = np.full(42, 0.5)
    scores[:sure_left] = 0.8
    scores[21 : 21 + sure_right] = 0.6
    return points, scores


def test_the_box_spans_what_is_sure():
    window = person_window(BOX)
    points, scores = keypoints(4, 10)
    left, right = person_hands(points, scores, window)
    for found, part, score in ((left, points[:4], 0.8), (right, points[21:31], 0.6)):
        pixels = window.to_image(4 * part)
        np.testing.assert_allclose(found.bounding_box, [*pixels.min(0), *pixels.max(0)])
        assert found.score == pytest.approx(score)
    assert left.right < 0.5 < right.right


@pytest.mark.parametrize(("left", "right"), [(0, 0), (3, 4), (4, 3), (21, 21)])
def test_a_hand_needs_four_sure_keypoints(left, right):
    found = person_hands(*keypoints(left, right), person_window(BOX))
    sides = [Handedness.RIGHT if f.right > 0.5 else Handedness.LEFT for f in found]
    assert sides == [Handedness.LEFT] * (left >= 4) + [Handedness.RIGHT] * (right >= 4)
