"""The detector: its logic in a world of made-up hands, then the real models on rendered ones.

In the made-up world the models are replaced by functions that know where the hands are, so that a
test can say what is seen and count how often was looked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamer_ros.camera.model import CameraModel
from hamer_ros.detection import DETECTORS, DetectorOptions, LandmarkDetector, make_detector
from hamer_ros.detection import landmark_detector as detector_module
from hamer_ros.detection import verification as confirm_module
from hamer_ros.detection.hand_landmark_model import LandmarkObservation, see_landmarks
from hamer_ros.detection.palm_model import Palm
from hamer_ros.detection.reacquisition import MAX_MISSED, next_to_look_for
from hamer_ros.detection.roi import Roi, roi_from_landmarks, turn
from hamer_ros.detection.roi_tracking import (
    FollowedHand,
    keep_following,
    landmark_box,
    start_following,
)
from hamer_ros.detection.search_windows import (
    PalmModel,
    first_search,
    search_cycle,
    thorough_search,
    tiles,
    whole_image,
)
from hamer_ros.detection.suppression import distinct_followed, is_fragment, same_hand
from hamer_ros.detection.verification import MAX_SPREAD, confirm, jittered_rois, spread
from hamer_ros.hand_model.model import HandModel
from hamer_ros.handedness import MAX_TALLY, image_vote
from hamer_ros.hands import Frame, Handedness, Landmarks
from hamer_ros.inference.device import Device
from hamer_ros.rendering.clip import HEIGHT, INTRINSICS, WIDTH, clip_frame

IMAGE = np.zeros((480, 640, 3), np.uint8)
CAMERA = CameraModel.from_fov(640, 480, horizontal_fov=1.0)


def joints_at(x, y, size=100.0, rotation=0.0):
    """21 joints of an open hand whose middle is at (x, y)."""
    hand = [[0.0, 0.45]]
    for k, column in enumerate((-0.4, -0.2, 0.0, 0.2, 0.4)):
        hand += [[column, 0.1 - 0.15 * row * (0.5 + 0.25 * (k > 0))] for row in range(4)]
    return size * turn(np.array(hand), rotation) + [x, y]


def observation_at(x, y, size=100.0, rotation=0.0, presence=0.9, right=0.9):
    landmarks = Landmarks(joints_at(x, y, size, rotation), np.zeros((21, 3)), presence)
    return LandmarkObservation(landmarks, right, Roi(x, y, 2 * size, rotation))


@dataclass
class World:
    """What there is to see, and how often the models looked.

    hands: what the landmark model sees near each hand.
    mirages: places where a palm model sees a palm without a hand.
    """

    hands: list[LandmarkObservation]
    mirages: tuple = ()
    searches: int = 0
    looks: int = 0

    def see_landmarks(self, model, image, roi):
        self.looks += 1
        nothing = replace(observation_at(roi.x, roi.y, presence=0.01), roi=roi)
        near = [h for h in self.hands if self._distance(h, roi.x, roi.y) < roi.size / 3]
        near.sort(key=lambda hand: self._distance(hand, roi.x, roi.y))
        return replace(near[0], roi=roi) if near else nothing

    def find_palms(self, model, image, window, min_score):
        self.searches += 1
        places = [hand.landmarks.pixels[[0, 5, 9, 13, 17]].mean(axis=0) for hand in self.hands]
        places += [np.array(place, float) for place in self.mirages]
        up = np.array([[0, 20], [-9, -15], [0, -15], [9, -15], [15, -10], [-15, 5], [-18, 0.0]])
        corner = np.array([window.x, window.y]) - window.size / 2
        return [
            Palm(place, 45.0, place + up, 0.9)
            for place in places
            if np.all(place > corner) and np.all(place < corner + window.size)
        ]

    @staticmethod
    def _distance(hand, x, y):
        return np.linalg.norm(hand.landmarks.pixels.mean(axis=0) - [x, y])


@pytest.fixture
def world(monkeypatch):
    world = World([])
    for module in (detector_module, confirm_module):
        monkeypatch.setattr(module, "see_landmarks", world.see_landmarks)
    monkeypatch.setattr(detector_module, "find_palms", world.find_palms)
    return world


def detector(**options):
    return LandmarkDetector(dict.fromkeys(PalmModel), None, DetectorOptions(**options))


def detect(found_by, times=1):
    for _ in range(times):
        detections = found_by.detect(Frame(IMAGE, 0.0, CAMERA))
    return detections


# The registry


def test_an_unknown_detector_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'yolo'.*landmarks"):
        make_detector("yolo")


def test_the_registry_passes_the_choices_on(monkeypatch):
    monkeypatch.setitem(DETECTORS, "mine", lambda *choices: choices)
    options = DetectorOptions(max_hands=1)
    assert make_detector("mine", options, Device("cuda"), 2) == (options, Device("cuda"), 2)


# Following


def test_a_hand_keeps_its_id_while_it_moves(world):
    found_by = detector()
    rois = []
    for k in range(30):
        world.hands = [observation_at(100 + 10 * k, 200 + 3 * k, rotation=0.05 * k)]
        (detection,) = detect(found_by)
        np.testing.assert_allclose(detection.landmarks.pixels, world.hands[0].landmarks.pixels)
        rois.append(detection.detection_id)
    assert set(rois) == {1}


def test_a_hand_that_left_gives_up_its_id_for_good(world):
    world.hands = [observation_at(300, 200)]
    found_by = detector()
    assert [d.detection_id for d in detect(found_by)] == [1]
    world.hands = []
    assert detect(found_by, MAX_MISSED + 2) == []
    world.hands = [observation_at(300, 200)]
    assert [d.detection_id for d in detect(found_by, 2)] == [2]
    found_by.reset()
    assert [d.detection_id for d in detect(found_by)] == [3]


def test_a_followed_hand_is_dropped_below_the_presence_asked_for(world):
    found_by = detector(min_presence=0.6)
    world.hands = [observation_at(300, 200)]
    assert len(detect(found_by)) == 1
    world.hands = [observation_at(300, 200, presence=0.61)]
    assert len(detect(found_by)) == 1
    # At 0.59 it is not followed any longer; it may be found anew, but under another id.
    world.hands = [observation_at(300, 200, presence=0.59)]
    assert 1 not in [d.detection_id for d in detect(found_by)]


def test_photographs_have_nothing_to_do_with_one_another(world):
    found_by = detector(photographs=True)
    world.hands = [observation_at(300, 200, right=0.99)]
    detect(found_by, 3)
    searches = world.searches
    world.hands = [observation_at(300, 200, right=0.4)]
    (detection,) = detect(found_by)
    assert detection.handedness is Handedness.LEFT
    assert detection.handedness_score == pytest.approx(0.6)
    assert world.searches - searches == len(thorough_search(640, 480))


def test_no_more_hands_than_asked_for(world):
    world.hands = [observation_at(x, 200) for x in (100, 250, 400, 550)]
    found_by = detector(max_hands=2)
    assert len(detect(found_by)) == 2
    searches = world.searches
    assert len(detect(found_by, 20)) == 2
    assert world.searches == searches, "nothing is searched for that could not be taken up"


# The schedule


def test_searching_costs_little_while_a_hand_is_followed(world):
    world.hands = [observation_at(300, 200)]
    found_by = detector(search_period=5)
    detect(found_by)
    assert world.searches == len(first_search(640, 480))
    world.searches = world.looks = 0
    detect(found_by, 100)
    assert world.searches == 100 / 5
    assert world.looks == 100, "the palm of a followed hand is not looked at again"


def test_without_hands_every_image_is_searched_and_no_window_is_forgotten(monkeypatch):
    asked = []

    def find_palms(model, image, window, min_score):
        asked.append((model(None), window))
        return []

    monkeypatch.setattr(detector_module, "find_palms", find_palms)
    models = {model: lambda _, model=model: model for model in PalmModel}
    found_by = LandmarkDetector(models, None)
    detect(found_by)
    asked.clear()
    cycle = search_cycle(640, 480)
    detect(found_by, len(cycle) // 2)
    assert asked == [(search.model, search.window) for search in cycle]
    assert {window for _, window in asked} == {whole_image(640, 480), *tiles(640, 480)}
    whole = [model for model, window in asked if window == whole_image(640, 480)]
    assert set(whole) == set(PalmModel)


def test_a_second_hand_is_found_while_the_first_is_followed(world):
    first = observation_at(150, 200)
    world.hands = [first]
    found_by = detector(search_period=4)
    detect(found_by)
    world.hands = [first, observation_at(450, 200)]
    assert [d.detection_id for d in detect(found_by, 8)] == [1, 2]


sizes = st.integers(1, 3000)


@given(sizes, sizes)
def test_tiles_cover_the_image_and_are_few(width, height):
    squares = tiles(width, height)
    assert 1 <= len(squares) <= 36
    for x in np.linspace(0, width - 1, 7):
        for y in np.linspace(0, height - 1, 7):
            assert any(
                abs(t.x - x) <= t.size / 2 + 1e-6 and abs(t.y - y) <= t.size / 2 + 1e-6
                for t in squares
            )


def test_what_tiles_share_holds_a_small_hand():
    squares = tiles(640, 360)
    handedness = squares[0].size
    for axis in ("x", "y"):
        centers = sorted({getattr(t, axis) for t in squares})
        assert len(centers) > 1
        assert handedness - max(np.diff(centers)) >= 52, (
            "a hand of 38 x 52 pixels lies whole in a tile"
        )


# Confirming


def test_a_palm_without_a_hand_costs_one_look(world):
    world.mirages = ((300, 200),)
    assert detect(detector()) == []
    assert world.looks == 1


def test_joints_that_follow_the_crop_are_no_hand(monkeypatch):
    def follow_the_crop(model, image, roi):
        seen = observation_at(roi.x, roi.y, roi.size / 2, 2 * roi.rotation, 0.95)
        return replace(seen, roi=roi)

    palm = Palm(np.array([300.0, 200.0]), 50.0, joints_at(300, 200)[:7], 0.9)
    monkeypatch.setattr(confirm_module, "see_landmarks", follow_the_crop)
    assert confirm(None, IMAGE, palm) is None
    steady = observation_at(300, 200, presence=0.95)
    monkeypatch.setattr(confirm_module, "see_landmarks", lambda *_: steady)
    assert confirm(None, IMAGE, palm) is not None


@pytest.mark.parametrize(
    ("score", "presence", "hand"),
    [(0.9, 0.5, True), (0.9, 0.05, False), (0.2, 0.97, True), (0.2, 0.6, False)],
)
def test_palm_and_looks_make_up_for_one_another(monkeypatch, score, presence, hand):
    steady = observation_at(300, 200, presence=presence)
    monkeypatch.setattr(confirm_module, "see_landmarks", lambda *_: steady)
    palm = Palm(np.array([300.0, 200.0]), 50.0, joints_at(300, 200)[:7], score)
    assert (confirm(None, IMAGE, palm) is not None) == hand


def test_one_failed_look_is_forgiven_but_two_are_not(monkeypatch):
    palm = Palm(np.array([300.0, 200.0]), 50.0, joints_at(300, 200)[:7], 0.6)
    for failures, hand in ((1, True), (2, False)):
        presences = iter([0.9] * 3 + [0.1] * failures + [0.9] * 5)
        monkeypatch.setattr(
            confirm_module,
            "see_landmarks",
            lambda *_, p=presences: observation_at(300, 200, presence=next(p)),
        )
        assert (confirm(None, IMAGE, palm) is not None) == hand


@pytest.mark.parametrize(
    ("known", "presences", "looks"),
    [
        (True, [0.9] * 8, 2),  # a followed hand whose palm is seen elsewhere
        (False, [0.9] * 8, 8),
        (False, [0.9] * 3 + [0.1] * 5, 5),  # two looks have failed: no other can make up for them
        (False, [0.9, 0.05], 2),
    ],
)
def test_no_look_is_made_that_cannot_matter(monkeypatch, known, presences, looks):
    palm = Palm(np.array([300.0, 200.0]), 50.0, joints_at(300, 200)[:7], 0.6)
    left = iter(presences)
    monkeypatch.setattr(
        confirm_module, "see_landmarks", lambda *_: observation_at(300, 200, presence=next(left))
    )
    confirmation = confirm(None, IMAGE, palm, lambda _: known)
    assert (confirmation is not None) == (looks == 8)
    assert len(presences) - len(list(left)) == looks


def test_spread_is_relative_to_the_hand():
    looks = [observation_at(300 + d, 200, size=200).landmarks for d in (-9, 0, 9)]
    small = [observation_at(300 + d / 2, 200, size=100).landmarks for d in (-9, 0, 9)]
    assert spread(looks) == pytest.approx(spread(small))
    assert 0 < spread(looks) < MAX_SPREAD


def test_looks_are_jittered_around_the_roi():
    roi = Roi(300, 200, 100, 0.4)
    rois = jittered_rois(roi)
    assert len(set(rois)) == len(rois) >= 3
    for other in rois:
        assert abs(other.rotation - roi.rotation) < 0.5
        assert 0.8 < other.size / roi.size < 1.25
        assert np.hypot(other.x - roi.x, other.y - roi.y) < 0.1 * roi.size


# One hand or two


def test_two_reports_of_one_hand_are_one():
    assert same_hand(observation_at(300, 200), observation_at(305, 203, rotation=0.1))


def test_hands_side_by_side_or_crossing_are_two():
    hand = observation_at(300, 200, right=0.95)
    assert not same_hand(hand, observation_at(360, 200, right=0.95))
    assert not same_hand(hand, observation_at(300, 200, rotation=1.8, right=0.05))
    # Palm to palm: the joints are close, but one is a left hand.
    assert same_hand(hand, observation_at(318, 200, right=0.95))
    assert not same_hand(hand, observation_at(318, 200, right=0.05))


def test_a_few_fingers_are_not_a_hand_of_their_own(world):
    whole = observation_at(300, 200, size=150)
    fingers = observation_at(310, 170, size=50)
    assert is_fragment(fingers, whole)
    assert not is_fragment(whole, fingers)
    assert not is_fragment(observation_at(500, 170, size=50), whole), "a small hand elsewhere"
    assert not is_fragment(observation_at(310, 170, size=110), whole), "a hand in front of another"
    world.hands = [fingers, whole]
    (detection,) = detect(detector())
    np.testing.assert_allclose(detection.landmarks.pixels, whole.landmarks.pixels)


def test_crossing_hands_keep_their_ids(world):
    found_by = detector()
    journeys = {1: [], 2: []}
    for k in range(41):
        offset = 200 - 10 * k
        world.hands = [
            observation_at(320 - offset, 200, rotation=0.5, right=0.95),
            observation_at(320 + offset, 260, rotation=-0.5, right=0.05),
        ]
        detections = detect(found_by)
        assert sorted(d.detection_id for d in detections) == [1, 2]
        for d in detections:
            journeys[d.detection_id].append((d.handedness, d.landmarks.pixels[:, 0].mean()))
    for sides, columns in (zip(*journey, strict=True) for journey in journeys.values()):
        steps = np.diff(columns)
        assert len(set(sides)) == 1
        np.testing.assert_allclose(steps, 10 if sides[0] is Handedness.RIGHT else -10)
    assert journeys[1][0][0] is not journeys[2][0][0]


def test_of_two_detections_on_one_hand_that_of_its_side_stays():
    seen = observation_at(300, 200, right=0.95, presence=0.9)
    right = FollowedHand(7, seen, 8.0)
    strayed = FollowedHand(3, replace(seen, landmarks=replace(seen.landmarks, presence=0.99)), -8.0)
    assert [hand.detection_id for hand in distinct_followed([strayed, right])] == [7]
    agreeing = distinct_followed([replace(strayed, right_log_odds=8.0), right])
    assert [hand.detection_id for hand in agreeing] == [3]


def test_of_two_detections_on_one_hand_of_their_side_that_stays_which_went_on_as_before():
    """One hand goes right, another came from the right and was led away by it."""
    steady = start_following(7, observation_at(300, 200, presence=0.9))
    astray = start_following(3, observation_at(440, 200, presence=0.99))
    for k in range(1, 4):
        steady = keep_following(steady, observation_at(300 + 20 * k, 200, presence=0.9))
        astray = keep_following(astray, observation_at(440 - 10 * k, 200, presence=0.99))
    steady = keep_following(steady, observation_at(380, 200, presence=0.9))
    astray = keep_following(astray, observation_at(381, 200, presence=0.99))
    assert steady.surprise < 0.05 < astray.surprise
    assert [hand.detection_id for hand in distinct_followed([astray, steady])] == [7]


# Looking for lost hands


def without_palms(monkeypatch):
    """Nothing is found by the palm models, so that what is found was looked for."""
    monkeypatch.setattr(detector_module, "find_palms", lambda *_: [])


def test_a_hidden_hand_is_found_in_the_image_it_is_back_in(world, monkeypatch):
    hand = observation_at(300, 200, presence=0.95)
    world.hands = [hand]
    found_by = detector()
    detect(found_by, 5)
    without_palms(monkeypatch)
    for hidden in (1, 10, 25):
        world.hands = []
        assert detect(found_by, hidden) == []
        world.hands = [hand]
        assert [d.detection_id for d in detect(found_by, 3)] == [1]


def test_a_hand_that_moves_on_unseen_is_found_where_it_would_be(world, monkeypatch):
    found_by = detector()
    for k in range(10):
        world.hands = [observation_at(100 + 20 * k, 200, presence=0.95)]
        detect(found_by)
    without_palms(monkeypatch)
    world.hands = []
    detect(found_by, 10)
    rois = []
    for k in range(20, 23):
        world.hands = [observation_at(100 + 20 * k, 200, presence=0.95)]
        rois.append([d.detection_id for d in detect(found_by)])
    assert [1] in rois[:2] and rois[-1] == [1]


def test_a_hand_that_comes_back_keeps_the_vote_on_its_side(world):
    world.hands = [observation_at(300, 200, right=0.99)]
    found_by = detector()
    detect(found_by, 5)
    world.hands = []
    detect(found_by, 5)
    # The little that is seen at first looks like a left hand.
    world.hands = [observation_at(300, 200, right=0.3)]
    (detection,) = detect(found_by)
    assert (detection.detection_id, detection.handedness) == (1, Handedness.RIGHT)


@pytest.mark.parametrize(
    "other",
    [
        observation_at(300, 200, right=0.02),  # the other side
        observation_at(300, 200, size=55, right=0.98),  # far too small
        observation_at(300, 420, right=0.98),  # far away
    ],
)
def test_another_hand_does_not_get_the_id_of_a_lost_one(world, other):
    world.hands = [observation_at(300, 200, right=0.98)]
    found_by = detector()
    detect(found_by, 5)
    world.hands = []
    detect(found_by, 5)
    world.hands = [other]
    assert [d.detection_id for d in detect(found_by, 8)] == [2]


def test_a_lost_hand_is_not_found_in_the_hand_that_hides_it(world, monkeypatch):
    near, far = observation_at(300, 200, size=120), observation_at(420, 200)
    world.hands = [near, far]
    found_by = detector()
    assert [d.detection_id for d in detect(found_by, 5)] == [1, 2]
    without_palms(monkeypatch)
    for k in range(20):
        near = observation_at(300 + min(6 * k, 120), 200, size=120)
        world.hands = [near]
        detections = detect(found_by)
        assert [d.detection_id for d in detections] == [1]
        np.testing.assert_allclose(detections[0].landmarks.pixels, near.landmarks.pixels)


def test_a_lost_hand_is_taken_up_only_if_several_looks_agree(world, monkeypatch):
    world.hands = [observation_at(300, 200)]
    found_by = detector()
    detect(found_by)
    without_palms(monkeypatch)
    world.hands = []
    detect(found_by, 2)

    def follow_the_crop(model, image, roi):
        seen = observation_at(roi.x, roi.y, roi.size / 2, 2 * roi.rotation, 0.95)
        return replace(seen, roi=roi)

    for module in (detector_module, confirm_module):
        monkeypatch.setattr(module, "see_landmarks", follow_the_crop)
    assert detect(found_by, 10) == []


def test_looking_for_lost_hands_costs_one_look_an_image_and_ends(world, monkeypatch):
    world.hands = [observation_at(100, 200), observation_at(300, 200), observation_at(500, 200)]
    found_by = detector()
    detect(found_by)
    without_palms(monkeypatch)
    world.hands = world.hands[:1]
    detect(found_by)
    world.looks = 0
    detect(found_by, MAX_MISSED)
    assert world.looks == 2 * MAX_MISSED, "one for the hand that is followed, one for the others"
    world.looks = 0
    detect(found_by, 10)
    assert world.looks == 10


def test_a_hand_that_went_out_of_the_image_is_not_looked_for(world, monkeypatch):
    found_by = detector()
    for k in range(10):
        world.hands = [observation_at(540 + 20 * k, 200)] if k < 5 else []
        detect(found_by)
    without_palms(monkeypatch)
    far_out = found_by._lost[0]
    assert next_to_look_for([replace(far_out, looks=0)], 640, 480) is None


# The vote on the side


def test_a_flip_of_the_side_does_not_matter_and_a_change_of_mind_does():
    hand = start_following(1, observation_at(0, 0, right=0.99))
    for _ in range(9):
        hand = keep_following(hand, observation_at(0, 0, right=0.99))
    assert hand.detection().handedness_score > 0.99
    hand = keep_following(hand, observation_at(0, 0, right=0.001))
    assert hand.detection().handedness is Handedness.RIGHT
    for _ in range(10):
        hand = keep_following(hand, observation_at(0, 0, right=0.05))
    assert hand.detection().handedness is Handedness.LEFT


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_the_vote_is_bounded_and_even_handed(rights):
    hands = [start_following(1, observation_at(0, 0, right=rights[0]))]
    mirrored = [start_following(1, observation_at(0, 0, right=1 - rights[0]))]
    for right in rights[1:]:
        hands.append(keep_following(hands[-1], observation_at(0, 0, right=right)))
        mirrored.append(keep_following(mirrored[-1], observation_at(0, 0, right=1 - right)))
    for a, b in zip(hands, mirrored, strict=True):
        assert abs(a.right_log_odds) <= MAX_TALLY
        assert a.right_log_odds == pytest.approx(-b.right_log_odds, abs=1e-6)
        assert 0.5 <= a.detection().handedness_score <= 1


def test_a_vote_is_the_log_odds_of_the_model():
    assert image_vote(0.75) == pytest.approx(np.log(3))
    assert image_vote(0.25) == pytest.approx(-np.log(3))


def test_the_box_holds_all_joints_with_room_for_the_flesh():
    landmarks = observation_at(300, 200, rotation=0.7).landmarks
    x_min, y_min, x_max, y_max = landmark_box(landmarks)
    x, y = landmarks.pixels.T
    assert x_min < x.min() - 5 and y_min < y.min() - 5
    assert x_max > x.max() + 5 and y_max > y.max() + 5


# The landmark model's answer


def test_joints_come_back_from_the_crop_into_the_image():
    points = np.random.default_rng(0).uniform(0, 224, size=(21, 3)).astype(np.float32)
    world = np.random.default_rng(1).normal(size=(21, 3)).astype(np.float32)

    def model(value):
        assert value.shape == (1, 224, 224, 3)
        numbers = [np.array([[v]], np.float32) for v in (0.8, 0.3)]
        return [points.reshape(1, 63), *numbers, world.reshape(1, 63)]

    seen = see_landmarks(model, IMAGE, Roi(100, 50, 448, np.pi / 2))
    x, y = 2 * (points[:, :2].T - 112)
    np.testing.assert_allclose(seen.landmarks.pixels, np.column_stack([100 - y, 50 + x]), atol=1e-3)
    turned = np.column_stack([-world[:, 1], world[:, 0], world[:, 2]])
    np.testing.assert_allclose(seen.landmarks.world, turned, atol=1e-6)
    assert seen.landmarks.presence == pytest.approx(0.8)


@pytest.mark.parametrize(("shown", "right"), [(21, 0.9), (16, 0.709524), (10, 0.5), (0, 0.5)])
def test_what_the_model_says_of_the_side_counts_as_far_as_the_hand_is_seen(shown, right):
    """Of a crop of which the left half lies in the image, with so many joints."""

    def model(_: np.ndarray) -> list[np.ndarray]:
        points = np.full((21, 3), 56.0, np.float32)
        points[shown:, 0] = 168
        numbers = [np.array([[v]], np.float32) for v in (0.8, 0.9)]
        return [points.reshape(1, 63), *numbers, np.zeros((1, 63), np.float32)]

    height, width = IMAGE.shape[:2]
    seen = see_landmarks(model, IMAGE, Roi(width, height / 2, 0.6 * height, 0.0))
    assert seen.right == pytest.approx(right, abs=1e-6)


# The real models


@pytest.fixture(scope="module")
def clip():
    model = HandModel.default()
    return [clip_frame(model, k) for k in range(0, 16)]


@pytest.fixture(scope="module")
def clip_camera():
    return CameraModel(
        WIDTH, HEIGHT, INTRINSICS[0, 0], INTRINSICS[1, 1], INTRINSICS[0, 2], INTRINSICS[1, 2]
    )


def test_rendered_hands_are_found_on_their_sides_and_followed(models, clip, clip_camera):
    found_by = make_detector("landmarks")
    for k, frame in enumerate(clip):
        detections = found_by.detect(Frame(frame.rgb, k / 30, clip_camera))
        assert len(detections) == len(frame.hands) == 2
        assert sorted(d.detection_id for d in detections) == [1, 2]
        for truth in frame.hands:
            (detection,) = [d for d in detections if d.handedness is truth.handedness]
            error = np.linalg.norm(detection.landmarks.pixels - truth.keypoints, axis=1).mean()
            assert error < 0.1 * np.ptp(truth.keypoints, axis=0).max()
            assert landmark_box(detection.landmarks) == pytest.approx(detection.bounding_box)


def test_a_small_hand_is_found_in_a_photograph(models, clip, clip_camera):
    shrink = 5
    frame = clip[0]
    small = frame.rgb.reshape(HEIGHT // shrink, shrink, WIDTH // shrink, shrink, 3).mean((1, 3))
    image = np.full((360, 640, 3), 128, np.uint8)
    image[200 : 200 + HEIGHT // shrink, 400 : 400 + WIDTH // shrink] = small.astype(np.uint8)
    camera = CameraModel.from_fov(640, 360, horizontal_fov=1.0)
    found_by = make_detector("landmarks", DetectorOptions(photographs=True))
    detections = found_by.detect(Frame(image, 0.0, camera))
    assert len(detections) == 2
    for truth in frame.hands:
        (detection,) = [d for d in detections if d.handedness is truth.handedness]
        expected = (truth.keypoints + 0.5) / shrink - 0.5 + [400, 200]
        assert np.ptp(expected, axis=0).max() < 60
        assert np.linalg.norm(detection.landmarks.pixels - expected, axis=1).mean() < 6


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (7, 3), (90, 91)])
@pytest.mark.parametrize("photographs", [True, False])
def test_any_image_is_answered_and_noise_holds_no_hand(models, shape, photographs):
    found_by = make_detector("landmarks", DetectorOptions(photographs=photographs))
    height, width = shape
    camera = CameraModel.from_fov(width, height, horizontal_fov=1.0)
    noise = np.random.default_rng(0).integers(0, 256, size=(3, *shape, 3), dtype=np.uint8)
    for image in noise:
        assert found_by.detect(Frame(image, 0.0, camera)) == []


def test_the_next_roi_is_that_of_the_joints():
    hand = start_following(1, observation_at(300, 200))
    assert hand.roi == roi_from_landmarks(hand.observation.landmarks.pixels)
