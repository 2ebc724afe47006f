"""From an image to tracked hands, with made-up stages and with the real ones."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from helpers import CAMERA, MODEL, hand_at

from hamer_ros.camera import CameraModel
from hamer_ros.evaluation import mpjpe, pa_mpjpe
from hamer_ros.hands import Frame, Side, TrackState
from hamer_ros.pipeline import STAGES, HandPipeline
from hamer_ros.rendering.clip import HEIGHT, INTRINSICS, WIDTH, clip_frame
from hamer_ros.rotations import exp_so3
from hamer_ros.tracking import TrackerOptions


class OneHand:
    """A detector and recoverer that always see the same hand."""

    name = "one"
    model = MODEL

    def __init__(self) -> None:
        self.hand = hand_at(exp_so3(np.array([0.3, 0.1, 0.9])), np.array([0.05, 0.0, 0.6]))
        self.resets = 0

    def detect(self, frame: Frame):
        return [self.hand.detection]

    def recover(self, frame: Frame, detections):
        return [self.hand for _ in detections]

    def reset(self) -> None:
        self.resets += 1


BLACK = np.zeros((480, 640, 3), np.uint8)


def test_a_hand_goes_through_all_stages():
    stages = OneHand()
    result = HandPipeline(CAMERA, stages, stages).process(BLACK, 0.0)
    (hand,) = result.hands
    # Up to scale, which an average of people decides.
    way = hand.placed.translation / hand.placed.scale
    np.testing.assert_allclose(way, [0.05, 0.0, 0.6], atol=1e-5)
    assert tuple(result.seconds) == STAGES
    assert all(seconds >= 0 for seconds in result.seconds.values())


def test_a_hand_without_a_place_is_counted():
    stages = OneHand()
    stages.hand.keypoints[:] = np.nan
    result = HandPipeline(CAMERA, stages, stages).process(BLACK, 0.0)
    assert result.hands == ()
    assert result.unplaced == ("fewer than 6 keypoints",)


@pytest.mark.parametrize(
    "image", [np.zeros((480, 641, 3), np.uint8), BLACK.astype(float), BLACK[..., 0]]
)
def test_an_image_that_the_camera_did_not_take_is_refused(image):
    stages = OneHand()
    with pytest.raises(ValueError, match=r"intrinsics are for uint8 \(480, 640, 3\)"):
        HandPipeline(CAMERA, stages, stages).process(image, 0.0)


def test_time_that_runs_backwards_resets_everything():
    stages = OneHand()
    pipeline = HandPipeline(CAMERA, stages, stages)
    (before,) = pipeline.process(BLACK, 10.0).hands
    (after,) = pipeline.process(BLACK, 2.0).hands
    assert stages.resets == 2  # as detector and as recoverer
    assert after.track_id != before.track_id


def test_an_image_that_comes_a_little_late_resets_nothing():
    stages = OneHand()
    pipeline = HandPipeline(CAMERA, stages, stages)
    (before,) = pipeline.process(BLACK, 10.0).hands
    (after,) = pipeline.process(BLACK, 9.9).hands
    assert stages.resets == 0
    assert after.track_id == before.track_id
    assert after.state is TrackState.TRACKED


def test_the_tracker_takes_options_while_it_runs():
    stages = OneHand()
    pipeline = HandPipeline(CAMERA, stages, stages)
    pipeline.tracker.options = TrackerOptions(coast_time=0.0)
    pipeline.process(BLACK, 0.0)
    pipeline.process(BLACK, 0.1)
    stages.hand.keypoints[:] = np.nan
    (lost,) = pipeline.process(BLACK, 0.2).hands
    assert lost.state is TrackState.LOST
    assert lost.raw is None


def test_another_image_size_resets_but_another_focal_length_does_not():
    stages = OneHand()
    pipeline = HandPipeline(CAMERA, stages, stages)
    pipeline.camera = CameraModel(640, 480, 700.0, 700.0, 320.0, 240.0)
    assert stages.resets == 0
    pipeline.camera = CameraModel(320, 240, 300.0, 300.0, 160.0, 120.0)
    assert stages.resets == 2


@pytest.mark.usefixtures("nets")
def test_a_rendered_left_and_right_hand_are_found_where_they_are():
    camera = CameraModel(
        WIDTH, HEIGHT, INTRINSICS[0, 0], INTRINSICS[1, 1], INTRINSICS[0, 2], INTRINSICS[1, 2]
    )
    frame = clip_frame(MODEL, 0)
    result = HandPipeline(camera).process(frame.rgb, 0.0)
    found = {hand.placed.hand.side: hand.placed for hand in result.hands}
    assert set(found) == {Side.LEFT, Side.RIGHT}
    for truth in frame.hands:
        assert pa_mpjpe(found[truth.side].joints, truth.joints) < 0.010
        assert mpjpe(found[truth.side].joints, truth.joints) < 0.10


def test_a_hand_with_a_number_that_is_not_finite_is_counted_and_left_out():
    stage = OneHand()
    stage.hand = dataclasses.replace(stage.hand, betas=np.full(10, np.nan))
    result = HandPipeline(CAMERA, stage, stage).process(BLACK, 0.0)
    assert result.hands == ()
    assert result.unplaced == ("not finite",)


def test_a_camera_that_stamps_all_images_alike_does_not_gather_hands():
    """A hand is seen in one image only, time and again: each is gone in the next."""
    stages = OneHand()
    pipeline = HandPipeline(CAMERA, stages, stages)
    states = []
    for k in range(40):
        place = np.array([0.1 * (k % 4) - 0.15, 0.0, 0.6])
        moved = hand_at(exp_so3(np.array([0.3, 0.1, 0.9])), place)
        detection = dataclasses.replace(moved.detection, region=k)
        stages.hand = dataclasses.replace(moved, detection=detection)
        stages.detect = (lambda _: []) if k % 2 else (lambda _: [stages.hand.detection])
        result = pipeline.process(BLACK, 7.0)
        states.append([tracked.state for tracked in result.hands])
    assert states == 20 * [[TrackState.NEW], [TrackState.LOST]]
    assert len(pipeline.placer._sizes) <= 20
    assert pipeline.process(BLACK, 8.0).stamp == 8.0


@pytest.mark.parametrize("name", ["keypoint_scores", "score", "side_score"])
def test_scores_are_numbers_too(name):
    stages = OneHand()
    if name == "keypoint_scores":
        stages.hand.keypoint_scores[3] = np.nan
    else:
        detection = dataclasses.replace(stages.hand.detection, **{name: math.nan})
        stages.hand = dataclasses.replace(stages.hand, detection=detection)
    result = HandPipeline(CAMERA, stages, stages).process(BLACK, 0.0)
    assert result.hands == ()
    assert len(result.unplaced) == 1
