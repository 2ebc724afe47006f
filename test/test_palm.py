"""The palm detector around its model: anchors, decoding, merging."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamer_ros.detection.palm_model import Palm, anchors, decode, find_palms, merge_palms
from hamer_ros.detection.roi import Roi
from hamer_ros.geometry.boxes import square_iou

N_ANCHORS = 2016
WINDOW = Roi(100, 80, 192)


def palm(x, y, size, score):
    center = np.array([x, y], float)
    return Palm(center, size, center + size * np.linspace(-0.4, 0.4, 14).reshape(7, 2), score)


def model_output(palms):
    """What a model says that sees the given anchors: {anchor: (18 numbers, log odds)}."""
    boxes = np.zeros((N_ANCHORS, 18), np.float32)
    logits = np.full(N_ANCHORS, -10, np.float32)
    for anchor, (values, logit) in palms.items():
        boxes[anchor], logits[anchor] = values, logit
    return boxes, logits


def test_anchors_are_two_grids():
    centers = anchors()
    assert centers.shape == (24 * 24 * 2 + 12 * 12 * 6, 2) == (N_ANCHORS, 2)
    np.testing.assert_allclose(centers[:4], np.array([[1, 1], [1, 1], [3, 1], [3, 1]]) / 48)
    np.testing.assert_allclose(centers[1152:1158], [[1 / 24, 1 / 24]] * 6)
    np.testing.assert_allclose(centers[-1], [23 / 24, 23 / 24])


def test_decoding_one_anchor_by_hand():
    # Anchor 1160 is in the second cell of the coarse grid: (1.5, 0.5) / 12 of 192 pixels.
    anchor = np.array([24, 8])
    values = [3, -4, 30, 20, *([5, 6] * 7)]
    (found,) = decode(*model_output({1160: (values, 0.0)}), WINDOW, 0.3)
    corner = np.array([100, 80]) - 96
    np.testing.assert_allclose(found.center, corner + anchor + [3, -4], atol=1e-4)
    np.testing.assert_allclose(
        found.keypoints, np.tile(corner + anchor + [5, 6], (7, 1)), atol=1e-4
    )
    assert found.size == pytest.approx(30)
    assert found.score == pytest.approx(0.5)


def test_decoding_in_a_turned_window_turns_the_palm():
    values = [10, 0, 30, 30, *([0, -20] * 7)]
    output = model_output({0: (values, 4.0)})
    (upright,) = decode(*output, WINDOW, 0.3)
    (turned,) = decode(*output, Roi(100, 80, 192, np.pi / 2), 0.3)
    for a, b in ((upright.center, turned.center), (upright.keypoints, turned.keypoints)):
        x, y = (a - [100, 80]).T
        np.testing.assert_allclose((b - [100, 80]).T, [-y, x], atol=1e-6)


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 0.99))
def test_exactly_the_anchors_above_the_threshold_are_decoded(seed, threshold):
    logits = np.random.default_rng(seed).normal(scale=4, size=N_ANCHORS)
    found = decode(np.ones((N_ANCHORS, 18), np.float32), logits, WINDOW, threshold)
    expected = 1 / (1 + np.exp(-logits))
    assert [p.score for p in found] == pytest.approx(expected[expected >= threshold].tolist())


def test_palms_outside_the_image_are_mirages_of_its_mirrored_edge():
    def model(value):
        assert value.shape == (1, 192, 192, 3)
        assert value.max() <= 1
        square = [0, 0, 40, 40, *([0, 0] * 7)]
        boxes, logits = model_output({1152: (square, 5.0), 1152 + 6 * 78: (square, 5.0)})
        return [boxes[None], logits[None, :, None]]

    image = np.full((100, 100, 3), 200, np.uint8)
    wide = Roi(49.5, 49.5, 300)
    # The first anchor is in the corner of the window, far out; the second is near its centre.
    (found,) = find_palms(model, image, wide, 0.5)
    np.testing.assert_allclose(found.center, [62, 62], atol=0.1)


def test_iou_of_shifted_squares():
    centers = np.array([[0, 0], [5, 0], [5, 5], [10, 0], [0, 0]], float)
    sizes = np.array([10, 10, 10, 10, 5], float)
    overlaps = square_iou(centers[0], 10, centers, sizes)
    np.testing.assert_allclose(overlaps, [1, 50 / 150, 25 / 175, 0, 0.25])


def test_merging_weighs_by_score_and_keeps_the_best_score():
    (merged,) = merge_palms([palm(0, 0, 10, 0.25), palm(2, 0, 14, 0.75)])
    np.testing.assert_allclose(merged.center, [1.5, 0])
    assert merged.size == pytest.approx(13)
    assert merged.score == 0.75
    both = [palm(0, 0, 10, 0.25).keypoints, palm(2, 0, 14, 0.75).keypoints]
    np.testing.assert_allclose(merged.keypoints, 0.25 * both[0] + 0.75 * both[1])


def test_a_palm_without_area_does_not_hang_the_merging():
    assert len(merge_palms([palm(0, 0, 0, 0.9), palm(0, 0, 0, 0.8)])) == 2


palms = st.builds(palm, st.floats(0, 300), st.floats(0, 300), st.floats(5, 80), st.floats(0.05, 1))


@given(st.lists(palms, max_size=20))
def test_merging_is_an_orderly_selection(candidates):
    merged = merge_palms(candidates)
    scores = [p.score for p in merged]
    assert scores == sorted(scores, reverse=True)
    assert set(scores) <= {p.score for p in candidates}
    assert bool(merged) == bool(candidates)
    for p in merged:
        assert np.all(p.center >= 0)
        assert np.all(p.center <= 300)


@given(st.lists(palms, min_size=1, max_size=8), st.randoms())
def test_copies_of_palms_change_nothing_but_their_number(candidates, random):
    doubled = candidates * 2
    random.shuffle(doubled)
    apart = [palm(1000 * k, 0, p.size, p.score) for k, p in enumerate(doubled)]
    assert len(merge_palms(apart)) == len(doubled)
    assert len(merge_palms([candidates[0]] * len(doubled))) == 1
