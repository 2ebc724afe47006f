"""Numbers stay with their hands, through crossings, gaps and errors of the detector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from helpers import CAMERA, MODEL, placed_at

from hamer_ros.hands import Frame, Handedness, PlacedHand, ScaleSource, TrackedHand, TrackState
from hamer_ros.tracking import Tracker, TrackerOptions

RATE = 30.0
NEW, TRACKED, COASTED, LOST = TrackState
BLACK = np.zeros((480, 640, 3), np.uint8)
NO_HAND: list[PlacedHand] = []

LEFT, RIGHT = placed_at(handedness=Handedness.LEFT), placed_at(handedness=Handedness.RIGHT)


def hand(
    where: Sequence[float],
    handedness: Handedness = Handedness.RIGHT,
    detection_id: int = 1,
    handedness_score: float = 0.97,
    noise: np.random.Generator | None = None,
) -> PlacedHand:
    """A hand somewhere; with noise it jitters as hands do, by 0.3 % across and 2 % in distance."""
    base = LEFT if handedness is Handedness.LEFT else RIGHT
    translation = np.array(where, float)
    if noise is not None:
        distance = np.linalg.norm(translation)
        translation = translation * (1 + 0.02 * noise.normal())
        translation = translation + 0.003 * distance * noise.normal(size=3) * [1, 1, 0]
    joints = base.hand.joints @ base.rotation.T + translation
    detection = replace(
        base.hand.detection, detection_id=detection_id, handedness_score=handedness_score
    )
    recovered = replace(base.hand, detection=detection, keypoints=CAMERA.project(joints))
    along = np.concatenate([0.055 * translation, np.zeros(3)])
    spread = np.diag([9e-6, 9e-6, 1e-4, 1e-3, 1e-3, 1e-3])
    return replace(
        base, hand=recovered, translation=translation, covariance=spread + np.outer(along, along)
    )


def frame(stamp: float) -> Frame:
    return Frame(BLACK, stamp, CAMERA)


def follow(
    tracker: Tracker, frames: Sequence[Sequence[PlacedHand]], begin: float = 0.0
) -> list[list[TrackedHand]]:
    return [tracker.track(frame(begin + k / RATE), hands) for k, hands in enumerate(frames)]


def numbers_by_truth(
    history: Sequence[Sequence[TrackedHand]], truth: Sequence[Sequence[int]]
) -> dict[int, set[int]]:
    """Which track numbers each true hand was given; truth lists the hands of every frame."""
    given: dict[int, set[int]] = {}
    for tracked, who in zip(history, truth, strict=True):
        seen = [t for t in tracked if t.raw is not None]
        for t, name in zip(seen, who, strict=True):
            given.setdefault(name, set()).add(t.track_id)
    return given


def crossing(count: int, first: np.ndarray, second: np.ndarray) -> list[tuple]:
    """Two wrists that trade places in the image within a second: x goes over, y and z stay."""
    out = []
    for k in range(count):
        x = 0.12 * np.cos(np.pi * np.clip((k - 10) / RATE, 0, 1))
        out.append((np.array([x, 0, 0]) + first, np.array([-x, 0, 0]) + second))
    return out


def test_a_hand_that_moves_keeps_its_number():
    tracker = Tracker(MODEL)
    history = follow(tracker, [[hand((0.01 * k, 0, 0.5))] for k in range(20)])
    assert [tracked.state for (tracked,) in history] == [NEW] + 19 * [TRACKED]
    assert {tracked.track_id for (tracked,) in history} == {1}


def test_left_and_right_side_by_side_are_two_hands():
    pair = [hand((-0.05, 0, 0.5), Handedness.LEFT, 1), hand((0.05, 0, 0.5), Handedness.RIGHT, 2)]
    first, second = follow(Tracker(MODEL), [pair, pair[::-1]])
    assert [t.track_id for t in first] == [1, 2]
    assert [t.track_id for t in second] == [2, 1]


@pytest.mark.parametrize("seed", range(10))
def test_hands_that_cross_keep_their_numbers(seed):
    noise = np.random.default_rng(seed)
    frames = [
        [hand(a, Handedness.LEFT, 1, noise=noise), hand(b, Handedness.RIGHT, 2, noise=noise)]
        for a, b in crossing(60, np.array([0, 0.02, 0.5]), np.array([0, -0.02, 0.55]))
    ]
    history = follow(Tracker(MODEL), frames)
    assert numbers_by_truth(history, 60 * [(0, 1)]) == {0: {1}, 1: {2}}


@pytest.mark.parametrize("seed", range(10))
def test_right_hands_that_cross_keep_their_numbers_though_their_ids_are_swapped(seed):
    noise = np.random.default_rng(seed)
    frames = [
        [
            hand(a, Handedness.RIGHT, 1 if k < 25 else 2, noise=noise),
            hand(b, Handedness.RIGHT, 2 if k < 25 else 1, noise=noise),
        ]
        for k, (a, b) in enumerate(crossing(60, np.array([0, 0, 0.4]), np.array([0, 0, 0.6])))
    ]
    history = follow(Tracker(MODEL), frames)
    assert numbers_by_truth(history, 60 * [(0, 1)]) == {0: {1}, 1: {2}}


@pytest.mark.parametrize("seed", range(10))
def test_crossing_hands_keep_their_numbers_through_ten_hidden_frames(seed):
    noise = np.random.default_rng(seed)
    frames, truth = [], []
    for k, (a, b) in enumerate(crossing(60, np.array([0, 0, 0.5]), np.array([0, 0, 0.62]))):
        near = hand(a, Handedness.RIGHT, 1, noise=noise)
        # The far one is hidden for 10 frames, and found again under another id, 3, later.
        far = hand(b, Handedness.LEFT, 2 if k < 20 else 3, 0.97 if k < 20 else 0.6, noise=noise)
        hidden = 20 <= k < 33
        frames.append([near] if hidden else [near, far])
        truth.append((0,) if hidden else (0, 1))
    history = follow(Tracker(MODEL), frames)
    assert numbers_by_truth(history, truth) == {0: {1}, 1: {2}}
    assert [t.state for t in history[25]] == [TRACKED, COASTED]


@pytest.mark.parametrize("seed", range(10))
def test_missed_and_false_detections_do_not_change_numbers(seed):
    noise = np.random.default_rng(seed)
    frames, truth = [], []
    for k, (a, b) in enumerate(crossing(90, np.array([0, 0.03, 0.45]), np.array([0, -0.03, 0.6]))):
        hands = {
            0: hand(a, Handedness.LEFT, 1, noise=noise),
            1: hand(b, Handedness.RIGHT, 2, noise=noise),
        }
        if k > 5:
            hands = {name: h for name, h in hands.items() if noise.random() > 0.15}
        if noise.random() < 0.1:
            where = noise.uniform([-0.3, -0.2, 0.8], [0.3, 0.2, 1.5])
            hands[100 + k] = hand(where, detection_id=100 + k, handedness_score=0.6)
        frames.append(list(hands.values()))
        truth.append(tuple(hands))
    given = numbers_by_truth(follow(Tracker(MODEL), frames), truth)
    assert given[0] == {1}
    assert given[1] == {2}
    assert all(len(numbers) == 1 and not numbers & {1, 2} for n, numbers in given.items() if n > 1)


def test_a_hand_that_goes_away_coasts_and_is_reported_lost_once():
    tracker = Tracker(MODEL, TrackerOptions(coast_time=0.51))
    follow(tracker, 30 * [[hand((0, 0, 0.5))]])
    history = follow(tracker, 20 * [NO_HAND], begin=1.0)
    states = [[t.state for t in tracked] for tracked in history]
    # The last sighting was at 29 / 30 s.
    assert states == 15 * [[COASTED]] + [[LOST]] + 4 * [[]]
    assert all(t.raw is None and t.track_id == 1 for tracked in history for t in tracked)


def test_a_hand_that_was_seen_once_does_not_coast():
    first, second, third = follow(Tracker(MODEL), [[hand((0, 0, 0.5))], NO_HAND, NO_HAND])
    assert [t.state for t in first + second] == [NEW, LOST]
    assert third == []


def test_a_long_gap_gives_up_and_begins_anew():
    tracker = Tracker(MODEL)
    follow(tracker, 30 * [[hand((0, 0, 0.5))]])
    tracked = tracker.track(frame(60.0), [])
    assert [t.state for t in tracked] == [LOST]
    (new,) = tracker.track(frame(60.1), [hand((0, 0, 0.5))])
    assert (new.track_id, new.state) == (2, NEW)


def test_a_pipeline_that_takes_two_seconds_an_image_keeps_numbers():
    tracker = Tracker(MODEL)
    for k in range(5):
        (tracked,) = tracker.track(frame(2.0 * k), [hand((0.05 * k, 0, 0.5))])
        assert tracked.track_id == 1


def test_a_coasted_hand_goes_on_slows_down_and_has_no_evidence():
    tracker = Tracker(MODEL)
    follow(tracker, [[hand((0.01 * k - 0.2, 0, 0.5))] for k in range(15)])
    history = follow(tracker, 14 * [NO_HAND], begin=15 / RATE)
    placed = [tracked.placed for (tracked,) in history]
    x = np.array([p.translation[0] for p in placed])
    steps = np.diff(x)
    assert x[0] > -0.2 + 0.01 * 14
    assert (steps > 0).all() and (np.diff(steps) < 0).all()
    growth = np.array([np.diag(p.covariance) for p in placed])
    assert (np.diff(growth, axis=0) > 0).all()
    for p in placed:
        assert p.hand.detection.score == 0
        assert (p.hand.keypoint_scores == 0).all()
        np.testing.assert_allclose(p.hand.keypoints, CAMERA.project(p.joints), atol=1e-9)
        low, high = p.hand.keypoints.min(0), p.hand.keypoints.max(0)
        assert (p.hand.detection.bounding_box[:2] < low).all() and (
            p.hand.detection.bounding_box[2:] > high
        ).all()


def test_a_hand_that_leaves_the_image_is_given_up_early():
    tracker = Tracker(MODEL)
    follow(tracker, [[hand((0.02 * k, 0, 0.5))] for k in range(15)])
    history = follow(tracker, 20 * [NO_HAND], begin=15 / RATE)
    states = [t.state for tracked in history for t in tracked]
    assert states[-1] is LOST
    assert len(states) < 10


def test_a_hand_that_comes_behind_the_camera_is_given_up_early():
    tracker = Tracker(MODEL)
    follow(tracker, [[hand((0, 0, 0.8 - 0.04 * k))] for k in range(16)])
    states = [t.state for tracked in follow(tracker, 10 * [NO_HAND], 16 / RATE) for t in tracked]
    assert states[-1] is LOST
    assert len(states) < 10


def test_a_side_stays_through_bad_frames_and_the_hand_keeps_its_shape():
    tracker = Tracker(MODEL)
    good = hand((0, 0, 0.5), Handedness.RIGHT, handedness_score=1 - 1e-6)
    follow(tracker, 20 * [[good]])
    bad = hand((0, 0, 0.5), Handedness.LEFT, detection_id=2, handedness_score=0.9)
    ((tracked,),) = follow(tracker, [[bad]], begin=20 / RATE)
    assert tracked.track_id == 1
    assert tracked.placed.hand.handedness is Handedness.RIGHT
    assert tracked.raw.hand.handedness is Handedness.LEFT
    np.testing.assert_allclose(tracked.placed.hand.vertices, good.hand.vertices, atol=1e-6)
    np.testing.assert_allclose(tracked.placed.rotation, good.rotation, atol=1e-6)
    seen = CAMERA.project(tracked.placed.joints) - bad.hand.keypoints
    rms = np.sqrt((seen**2).sum(1).mean())
    assert tracked.placed.reprojection_rms == pytest.approx(rms)


def test_a_side_that_is_outvoted_changes_once_with_the_estimated_hand():
    tracker = Tracker(MODEL)
    sides = []
    # A detection id that began with 3 log odds for the left and gains 2 for the right each time.
    for k in range(10):
        odds = -3.0 + 2.0 * k
        handedness = Handedness.RIGHT if odds >= 0 else Handedness.LEFT
        score = 1 / (1 + np.exp(-abs(odds)))
        (tracked,) = tracker.track(
            frame(k / RATE), [hand((0, 0, 0.5), handedness, 1, handedness_score=float(score))]
        )
        sides.append(tracked.placed.hand.handedness)
        assert tracked.placed.hand.detection.handedness_score == pytest.approx(score, abs=1e-5)
    assert sides == 2 * [Handedness.LEFT] + 8 * [Handedness.RIGHT]
    assert tracked.track_id == 1


def test_a_stubborn_id_wins_the_vote_in_the_end():
    tracker = Tracker(MODEL)
    follow(tracker, 20 * [[hand((0, 0, 0.5), Handedness.RIGHT, 1, 1 - 1e-6)]])
    sides = []
    for k in range(8):
        score = float(1 / (1 + np.exp(-min(3.0 * (k + 1), 12.0))))
        (tracked,) = tracker.track(
            frame((20 + k) / RATE), [hand((0, 0, 0.5), Handedness.LEFT, 2, score)]
        )
        sides.append(tracked.placed.hand.handedness)
    # 12 log odds, three an image.
    assert sides == 3 * [Handedness.RIGHT] + 5 * [Handedness.LEFT]


def test_numbers_are_never_used_twice():
    tracker = Tracker(MODEL)
    seen: list[int] = []
    for k in range(10):
        tracked = tracker.track(frame(10.0 * k), [hand((0, 0, 0.5), detection_id=k)])
        seen += [t.track_id for t in tracked if t.state is NEW]
        if k == 5:
            tracker.reset()
    assert seen == list(range(1, 11))


@pytest.mark.parametrize("ratio", [0.55, 0.72, 1.0, 1.3, 1.7])
@pytest.mark.parametrize("smooth", [True, False])
def test_a_size_that_becomes_known_changes_no_number(ratio, smooth):
    """A depth image begins, and a child's hand is nearer than people's average had it."""
    rng = np.random.default_rng(3)
    tracker = Tracker(MODEL, TrackerOptions(smoothing=smooth))
    follow(tracker, [[hand((0.05, 0.02, 0.5), noise=rng)] for _ in range(20)])
    measured = [grown(hand((0.05, 0.02, 0.5), noise=rng), ratio) for _ in range(20)]
    history = follow(tracker, [[one] for one in measured], begin=20 / RATE)
    assert [[t.track_id for t in tracked] for tracked in history] == 20 * [[1]]
    first, last = history[0][0].placed, history[-1][0].placed
    assert first.translation[2] == pytest.approx(0.5 * ratio, rel=0.08)
    assert last.translation[2] == pytest.approx(0.5 * ratio, rel=0.04)
    (coasted,) = tracker.track(frame(40 / RATE), [])
    assert coasted.placed.translation[2] == pytest.approx(0.5 * ratio, rel=0.06)


def grown(placed: PlacedHand, ratio: float) -> PlacedHand:
    """The hand with its size from a depth image."""
    return replace(
        placed,
        translation=ratio * placed.translation,
        scale=ratio * placed.scale,
        scale_source=ScaleSource.DEPTH,
    )


def test_a_track_that_was_given_another_hands_id_takes_its_side_at_last():
    """However sure it was, a side that every image contradicts is not held for ever."""
    tracker = Tracker(MODEL)
    sure = 1 - 1e-6
    right = hand((0, 0, 0.5), Handedness.RIGHT, 1, handedness_score=sure)
    follow(tracker, 20 * [[right, hand((0.3, 0, 0.5), Handedness.LEFT, 2, handedness_score=sure)]])
    # The right hand goes, and the left one is where it was.
    moved = hand((0, 0, 0.5), Handedness.LEFT, 2, handedness_score=sure)
    history = follow(tracker, 60 * [[moved]], begin=20 / RATE)
    assert {t.track_id for tracked in history for t in tracked if t.raw is not None} == {1}
    sides = [t.placed.hand.handedness for tracked in history for t in tracked if t.raw is not None]
    assert sides[-1] is Handedness.LEFT
    assert sides == sorted(sides, key=lambda handedness: handedness is Handedness.LEFT), (
        "it changes once"
    )


def test_a_side_that_nothing_contradicts_never_changes():
    tracker = Tracker(MODEL)
    for score in (0.5 + 1e-9, 0.9, 1 - 1e-6):
        history = follow(
            tracker, 100 * [[hand((0, 0, 0.5), Handedness.LEFT, 1, handedness_score=score)]]
        )
        assert {t.placed.hand.handedness for (t,) in history} == {Handedness.LEFT}
        tracker.reset()
