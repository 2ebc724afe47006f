"""What is known of a hand's size, from people's average to a depth image."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from helpers import CAMERA, MODEL, hand_at
from hypothesis import given
from hypothesis import strategies as st

from hamer_ros.geometry.rotations import exp_so3
from hamer_ros.hand_model.topology import closed_faces
from hamer_ros.hands import Frame, Handedness, PlacedHand, ScaleSource
from hamer_ros.placement.placer import KEPT_FRAMES, Placer
from hamer_ros.placement.size import (
    LEARNT_AFTER,
    POPULATION,
    POPULATION_LENGTH,
    POPULATION_SIGMA,
    Size,
    SizeMemory,
    combine,
    log_length,
    stated_size,
)
from hamer_ros.placement.size_from_depth import LEAST_POINTS, Factor, log_factor
from hamer_ros.rendering.raster import rasterize

IMAGE = np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8)
POSE = exp_so3(np.array([0.2, 0.3, 1.1])), np.array([0.03, 0.02, 0.5])


def place(placer: Placer, hand, depth=None, stamp: float = 0.0) -> PlacedHand:
    (placed,) = placer.place(Frame(IMAGE, stamp, CAMERA, depth), [hand])
    assert isinstance(placed, PlacedHand)
    return placed


def depth_of(vertices: np.ndarray, wall: float = 1.5) -> np.ndarray:
    """(H, W) metres of a closed hand before a wall."""
    raster = rasterize(
        vertices, closed_faces(MODEL.faces), CAMERA.matrix, CAMERA.width, CAMERA.height
    )
    depth = np.full((CAMERA.height, CAMERA.width), wall, np.float32)
    rows, columns = raster.depth.shape
    window = depth[raster.top : raster.top + rows, raster.left : raster.left + columns]
    np.minimum(window, raster.depth, out=window)
    return depth


logs, sigmas = st.floats(-3, 0), st.floats(0.001, 0.2)


@given(logs, sigmas, logs, sigmas)
def test_two_beliefs_are_surer_than_either_and_lie_between(a, sa, b, sb):
    both = combine(Size(a, sa, ScaleSource.TRACK), Size(b, sb, ScaleSource.DEPTH))
    assert both.sigma < min(sa, sb)
    assert min(a, b) - 1e-12 <= both.log_length <= max(a, b) + 1e-12
    assert both.source is (ScaleSource.TRACK if sa <= sb else ScaleSource.DEPTH)


def test_a_length_does_not_change_when_the_hand_moves():
    first, second = hand_at(*POSE), hand_at(exp_so3(np.array([1.0, 0, 0])), POSE[1])
    assert log_length(first.joints) == pytest.approx(log_length(second.joints))
    assert log_length(2 * first.joints) == pytest.approx(np.log(2) + log_length(first.joints))


def test_without_more_a_hand_is_as_long_as_hands_are():
    hand = hand_at(*POSE)
    placed = place(Placer(MODEL.faces), hand)
    assert log_length(placed.joints) == pytest.approx(np.log(POPULATION_LENGTH))
    assert placed.scale_source is ScaleSource.POPULATION_PRIOR
    np.testing.assert_allclose(placed.translation, placed.scale * POSE[1], atol=1e-5)
    along = placed.translation / np.linalg.norm(placed.translation)
    sigma = np.sqrt(along @ placed.covariance[:3, :3] @ along)
    expected = POPULATION_SIGMA * np.linalg.norm(placed.translation)
    assert sigma == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_a_given_length_moves_the_hand_along_its_ray(factor):
    hand = hand_at(*POSE)
    length = factor * np.exp(log_length(hand.joints))
    placed = place(Placer(MODEL.faces, {Handedness.RIGHT: stated_size(length)}), hand)
    assert placed.scale_source is ScaleSource.PARAMETER
    assert placed.scale == pytest.approx(factor)
    np.testing.assert_allclose(placed.translation, placed.scale * POSE[1], atol=1e-5)
    assert np.sqrt(placed.covariance[2, 2]) < 0.02 * POSE[1][2]


def test_the_length_of_a_right_hand_says_nothing_of_a_left_one():
    hand = hand_at(*POSE, handedness=Handedness.LEFT)
    placed = place(Placer(MODEL.faces, {Handedness.RIGHT: stated_size(0.25)}), hand)
    assert placed.scale_source is ScaleSource.POPULATION_PRIOR


def test_a_track_learns_its_size_and_holds_it_still():
    rng = np.random.default_rng(0)
    placer, depths, sources = Placer(MODEL.faces), [], []
    for k in range(60):
        jitter = np.exp(0.04 * rng.normal())
        hand = hand_at(*POSE)
        hand = dataclasses.replace(hand, joints=jitter * hand.joints, size_sigma=0.01)
        placed = place(placer, hand, stamp=k / 30)
        depths.append(placed.translation[2])
        sources.append(placed.scale_source)
    assert sources[0] is ScaleSource.POPULATION_PRIOR
    assert set(sources[LEARNT_AFTER:]) == {ScaleSource.TRACK}
    from_image_to_image = 0.04 * 0.5
    assert np.std(depths[30:]) < 0.15 * from_image_to_image


def seen(detection_id: int):
    """A hand whose estimator sees its size well."""
    return dataclasses.replace(hand_at(*POSE, detection_id=detection_id), size_sigma=0.01)


def test_a_hand_that_went_away_is_learnt_anew():
    placer = Placer(MODEL.faces)
    for k in range(20):
        place(placer, seen(1), stamp=k / 30)
    assert place(placer, seen(1), stamp=0.7).scale_source is ScaleSource.TRACK
    assert place(placer, seen(2), stamp=10.0).scale_source is ScaleSource.POPULATION_PRIOR
    again = seen(1)
    assert place(placer, again, stamp=20.0).scale_source is ScaleSource.POPULATION_PRIOR


@pytest.mark.parametrize("size", [0.88, 1.0, 1.12])
def test_a_depth_image_gives_the_size(size):
    hand = hand_at(*POSE)
    vertices = size * (hand.vertices @ POSE[0].T + POSE[1])
    placed = place(Placer(MODEL.faces), hand, depth_of(vertices))
    assert placed.scale_source is ScaleSource.DEPTH
    assert placed.scale == pytest.approx(size, rel=0.01)
    assert np.linalg.norm(placed.vertices - vertices, axis=1).mean() < 0.005


def test_what_the_hand_holds_and_holes_do_not_matter():
    rng = np.random.default_rng(1)
    hand = hand_at(*POSE)
    vertices = hand.vertices @ POSE[0].T + POSE[1]
    depth = depth_of(vertices)
    u, v = CAMERA.project(vertices[np.argsort(vertices[:, 1])[:250]].mean(0)).astype(int)
    depth[v - 30 : v + 30, u - 25 : u + 25] = 0.42  # a box before the fingers
    depth[rng.random(depth.shape) < 0.3] = rng.choice([0.0, np.nan])
    factor = log_factor(vertices, closed_faces(MODEL.faces), depth, CAMERA)
    assert isinstance(factor, Factor)
    assert abs(factor.log) < 0.01
    assert 0 < factor.sigma < 0.02


EMPTY = "the depth image has no value where the hand is; does the camera measure that near?"


@pytest.mark.parametrize("depth", [0.0, np.nan, np.inf, -1.0])
def test_a_depth_image_that_is_empty_on_the_hand_says_so(depth):
    image = np.full((CAMERA.height, CAMERA.width), depth, np.float32)
    placed = place(Placer(MODEL.faces), hand_at(*POSE), image)
    assert placed.scale_source is ScaleSource.POPULATION_PRIOR
    assert placed.remark == ("depth empty on the hand", EMPTY)


@pytest.mark.parametrize(
    ("factor", "advice"),
    [
        (10.0, "is its unit 0.1 mm?"),
        (1000.0, "is its unit millimetres, where metres were announced?"),
        (0.001, "is its unit metres, where millimetres were announced?"),
        (3.0, "is it aligned with the image?"),
    ],
)
def test_a_depth_image_of_another_unit_says_by_what_factor_it_disagrees(factor, advice):
    hand = hand_at(*POSE)
    vertices = place(Placer(MODEL.faces), hand).vertices
    depth = factor * depth_of(vertices, wall=np.inf)
    placed = place(Placer(MODEL.faces), hand, depth)
    assert placed.scale_source is ScaleSource.POPULATION_PRIOR
    subject, text = placed.remark
    assert subject == "depth disagrees with the hand"
    assert f"says {factor:.3g} times the distance that the hand's size says; {advice}" in text


def test_a_depth_image_of_a_part_of_the_hand_says_how_little():
    hand = hand_at(*POSE)
    vertices = place(Placer(MODEL.faces), hand).vertices
    depth = depth_of(vertices)
    columns = np.sort(CAMERA.project(vertices)[:, 0])
    depth[:, : int(columns[-LEAST_POINTS + 1])] = 0.0
    placed = place(Placer(MODEL.faces), hand, depth)
    assert placed.scale_source is ScaleSource.POPULATION_PRIOR
    subject, text = placed.remark
    assert subject == "depth of too little of the hand"
    assert text.endswith(f"of its points; {LEAST_POINTS} are needed")


def test_a_depth_image_that_fits_says_nothing_more():
    hand = hand_at(*POSE)
    vertices = hand.vertices @ POSE[0].T + POSE[1]
    assert place(Placer(MODEL.faces), hand, depth_of(vertices)).remark is None


def test_a_depth_image_that_comes_late_gives_the_size_of_the_hands_to_come():
    placer, hand = Placer(MODEL.faces), hand_at(*POSE)
    depth = depth_of(1.1 * (hand.vertices @ POSE[0].T + POSE[1]))
    for k in range(12):
        before = place(placer, hand, stamp=k / 30)
        if k == 2:
            assert before.scale_source is ScaleSource.POPULATION_PRIOR
        if k >= 2:
            assert placer.learn_size((k - 2) / 30, depth) == ()
    after = place(placer, hand, stamp=0.4)
    assert after.scale_source is ScaleSource.TRACK
    assert after.scale == pytest.approx(1.1, rel=0.01)
    assert np.sqrt(after.covariance[2, 2]) < 0.02 * 0.55


def test_a_late_depth_image_says_why_it_gave_nothing():
    placer, hand = Placer(MODEL.faces), hand_at(*POSE)
    empty = np.zeros((CAMERA.height, CAMERA.width), np.float32)
    for k in range(KEPT_FRAMES + 1):
        place(placer, hand, stamp=float(k) / 30)
    assert placer.learn_size(1 / 30, empty) == (("depth empty on the hand", EMPTY),)
    ((subject, _),) = placer.learn_size(0.0, empty)
    assert subject == "depth too late"
    assert place(placer, hand, stamp=1.0).scale_source is ScaleSource.POPULATION_PRIOR


def test_a_depth_measured_once_is_remembered_over_a_track():
    placer = Placer(MODEL.faces)
    hand = hand_at(*POSE)
    vertices = 1.1 * (hand.vertices @ POSE[0].T + POSE[1])
    for k in range(30):
        place(placer, hand, depth_of(vertices), stamp=k / 30)
    after = place(placer, hand, None, stamp=1.1)
    assert after.scale_source is ScaleSource.TRACK
    assert after.scale == pytest.approx(1.1, rel=0.01)
    assert np.sqrt(after.covariance[2, 2]) < 0.02 * 0.55


def test_a_estimator_that_cannot_see_size_is_not_listened_to():
    memory = SizeMemory()
    for _ in range(50):
        memory.update(-1.0)
    assert memory.belief(POPULATION, -1.0, np.inf) == POPULATION
    assert memory.belief(POPULATION, -1.0, 0.01).log_length == pytest.approx(-1.0, abs=0.05)
