"""From an image to tracked hands, with made-up stages and with the real ones."""

from __future__ import annotations

import dataclasses
import math

import cv2
import numpy as np
import pytest
from helpers import CAMERA, MODEL, hand_at

from bench.placement_clip import measure_consistency
from hamer_ros.camera.model import CameraModel
from hamer_ros.geometry.alignment import mpjpe, pa_mpjpe
from hamer_ros.geometry.rotations import exp_so3
from hamer_ros.hands import Frame, Handedness, TrackState
from hamer_ros.pipeline import STEPS, HandPipeline
from hamer_ros.rendering.clip import HEIGHT, INTRINSICS, WIDTH, clip_frame
from hamer_ros.tracking import TrackerOptions


class OneHand:
    """A detector and estimator that always see the same hand."""

    name = "one"
    model = MODEL

    def __init__(self) -> None:
        self.hand = hand_at(exp_so3(np.array([0.3, 0.1, 0.9])), np.array([0.05, 0.0, 0.6]))
        self.resets = 0

    def detect(self, frame: Frame):
        return [self.hand.detection]

    def estimate(self, frame: Frame, detections):
        return [self.hand for _ in detections]

    def reset(self) -> None:
        self.resets += 1


BLACK = np.zeros((480, 640, 3), np.uint8)


def test_a_hand_goes_through_all_steps():
    steps = OneHand()
    result = HandPipeline(steps, steps).process(Frame(BLACK, 0.0, CAMERA))
    (hand,) = result.hands
    # Up to scale, which an average of people decides.
    way = hand.placed.translation / hand.placed.scale
    np.testing.assert_allclose(way, [0.05, 0.0, 0.6], atol=1e-5)
    assert tuple(result.seconds) == STEPS
    assert all(seconds >= 0 for seconds in result.seconds.values())


def test_a_hand_without_a_place_is_counted():
    steps = OneHand()
    steps.hand.keypoints[:] = np.nan
    result = HandPipeline(steps, steps).process(Frame(BLACK, 0.0, CAMERA))
    assert result.hands == ()
    assert result.unplaced == ("fewer than 6 keypoints",)


@pytest.mark.parametrize(
    "image", [np.zeros((480, 641, 3), np.uint8), BLACK.astype(float), BLACK[..., 0]]
)
def test_an_image_that_the_camera_did_not_take_is_refused(image):
    with pytest.raises(ValueError, match=r"intrinsics are for uint8 \(480, 640, 3\)"):
        Frame(image, 0.0, CAMERA)


def test_time_that_runs_backwards_resets_everything():
    steps = OneHand()
    pipeline = HandPipeline(steps, steps)
    (before,) = pipeline.process(Frame(BLACK, 10.0, CAMERA)).hands
    (after,) = pipeline.process(Frame(BLACK, 2.0, CAMERA)).hands
    assert steps.resets == 2  # as detector and as estimator
    assert after.track_id != before.track_id


def test_an_image_that_comes_a_little_late_resets_nothing():
    steps = OneHand()
    pipeline = HandPipeline(steps, steps)
    (before,) = pipeline.process(Frame(BLACK, 10.0, CAMERA)).hands
    (after,) = pipeline.process(Frame(BLACK, 9.9, CAMERA)).hands
    assert steps.resets == 0
    assert after.track_id == before.track_id
    assert after.state is TrackState.TRACKED


def test_the_tracker_takes_options_while_it_runs():
    steps = OneHand()
    pipeline = HandPipeline(steps, steps)
    pipeline.tracker.options = TrackerOptions(coast_time=0.0)
    pipeline.process(Frame(BLACK, 0.0, CAMERA))
    pipeline.process(Frame(BLACK, 0.1, CAMERA))
    steps.hand.keypoints[:] = np.nan
    (lost,) = pipeline.process(Frame(BLACK, 0.2, CAMERA)).hands
    assert lost.state is TrackState.LOST
    assert lost.raw is None


def test_another_image_size_resets_but_another_focal_length_does_not():
    steps = OneHand()
    pipeline = HandPipeline(steps, steps)
    pipeline.process(Frame(BLACK, 0.0, CAMERA))
    longer = CameraModel(640, 480, 700.0, 700.0, 320.0, 240.0)
    pipeline.process(Frame(BLACK, 0.1, longer))
    assert steps.resets == 0
    smaller = CameraModel(320, 240, 300.0, 300.0, 160.0, 120.0)
    pipeline.process(Frame(BLACK[:240, :320], 0.2, smaller))
    assert steps.resets == 2


@pytest.mark.usefixtures("models")
def test_a_rendered_left_and_right_hand_are_found_where_they_are():
    camera = CameraModel(
        WIDTH, HEIGHT, INTRINSICS[0, 0], INTRINSICS[1, 1], INTRINSICS[0, 2], INTRINSICS[1, 2]
    )
    frame = clip_frame(MODEL, 0)
    result = HandPipeline().process(Frame(frame.rgb, 0.0, camera))
    found = {hand.placed.hand.handedness: hand.placed for hand in result.hands}
    assert set(found) == {Handedness.LEFT, Handedness.RIGHT}
    for truth in frame.hands:
        assert pa_mpjpe(found[truth.handedness].joints, truth.joints) < 0.010
        assert mpjpe(found[truth.handedness].joints, truth.joints) < 0.10


def test_a_hand_with_a_number_that_is_not_finite_is_counted_and_left_out():
    step = OneHand()
    step.hand = dataclasses.replace(step.hand, betas=np.full(10, np.nan))
    result = HandPipeline(step, step).process(Frame(BLACK, 0.0, CAMERA))
    assert result.hands == ()
    assert result.unplaced == ("not finite",)


def test_a_camera_that_stamps_all_images_alike_does_not_gather_hands():
    """A hand is seen in one image only, time and again: each is gone in the next."""
    steps = OneHand()
    pipeline = HandPipeline(steps, steps)
    states = []
    for k in range(40):
        place = np.array([0.1 * (k % 4) - 0.15, 0.0, 0.6])
        moved = hand_at(exp_so3(np.array([0.3, 0.1, 0.9])), place)
        detection = dataclasses.replace(moved.detection, detection_id=k)
        steps.hand = dataclasses.replace(moved, detection=detection)
        steps.detect = (lambda _: []) if k % 2 else (lambda _: [steps.hand.detection])
        result = pipeline.process(Frame(BLACK, 7.0, CAMERA))
        states.append([tracked.state for tracked in result.hands])
    assert states == 20 * [[TrackState.NEW], [TrackState.LOST]]
    assert len(pipeline.placer._sizes) <= 20
    assert pipeline.process(Frame(BLACK, 8.0, CAMERA)).stamp == 8.0


@pytest.mark.parametrize("name", ["keypoint_scores", "score", "handedness_score"])
def test_scores_are_numbers_too(name):
    steps = OneHand()
    if name == "keypoint_scores":
        steps.hand.keypoint_scores[3] = np.nan
    else:
        detection = dataclasses.replace(steps.hand.detection, **{name: math.nan})
        steps.hand = dataclasses.replace(steps.hand, detection=detection)
    result = HandPipeline(steps, steps).process(Frame(BLACK, 0.0, CAMERA))
    assert result.hands == ()
    assert len(result.unplaced) == 1


def test_a_depth_image_that_gives_no_size_is_remarked_on():
    steps = OneHand()
    pipeline = HandPipeline(steps, steps)
    assert pipeline.process(Frame(BLACK, 0.0, CAMERA)).remarks == ()
    empty = np.zeros((480, 640), np.float32)
    ((subject, _),) = pipeline.process(Frame(BLACK, 0.1, CAMERA, empty)).remarks
    assert subject == "depth empty on the hand"


def test_a_depth_image_may_come_after_its_image():
    steps = OneHand()
    pipeline = HandPipeline(steps, steps)
    result = pipeline.process(Frame(BLACK, 0.0, CAMERA))
    ((subject, _),) = pipeline.learn_size(result.stamp, np.full((480, 640), 6.0, np.float32))
    assert subject == "depth disagrees with the hand"
    with pytest.raises(ValueError, match=r"depth is \(240, 320\); the intrinsics are for"):
        pipeline.learn_size(result.stamp, np.zeros((240, 320), np.float32))


@pytest.mark.usefixtures("models")
def test_the_covariance_holds_the_errors_of_rendered_hands():
    figures = {record.name: record.value for record in measure_consistency(frames=30)}
    for name in ("raw", "smoothed"):
        for what in ("position", "rotation"):
            assert figures[f"placement/clip_coverage/{what}/{name}"] > 0.85
        assert 0.8 < figures[f"placement/clip_sigma_ratio/rotation/{name}"] < 2
        assert 0.8 < figures[f"placement/clip_sigma_ratio/across/{name}"] < 3


@pytest.mark.usefixtures("models")
def test_a_hand_that_leaves_the_picture_is_known_less_and_less():
    """A window over the picture moves off the hand, its principal point with it."""
    frame = clip_frame(MODEL, 20, sides=(Handedness.RIGHT,))
    (truth,) = frame.hands
    width, height, border = 320, 400, 400
    picture = cv2.copyMakeBorder(frame.rgb, *[border] * 4, cv2.BORDER_REPLICATE)
    left, top = np.round(truth.keypoints.mean(0) - [width / 2, height / 2]).astype(int)
    pipeline, surprises, sigmas = None, [], []
    for k in range(0, 210, 10):
        row, column = top - k + border, left + border
        window = np.ascontiguousarray(picture[row : row + height, column : column + width])
        camera = CameraModel(width, height, 600.0, 600.0, 320.0 - left, 240.0 - (top - k))
        pipeline = pipeline or HandPipeline()
        pipeline.camera = camera
        for hand in pipeline.process(Frame(window, k / 300, camera)).hands:
            if hand.raw is None:
                continue
            assert hand.placed.hand.handedness is Handedness.RIGHT
            keypoints, scores = hand.raw.hand.keypoints, hand.raw.hand.keypoint_scores
            outside = ((keypoints < 0) | (keypoints >= [width, height])).any(1)
            assert (scores[outside] < 0.05).all()
            error, covariance = hand.raw.translation - truth.joints[0], hand.raw.covariance[:3, :3]
            surprises.append(error @ np.linalg.solve(covariance, error))
            sigmas.append(np.sqrt(np.trace(covariance)))
    assert len(surprises) > 15
    assert np.percentile(surprises, 95) < 16
    assert np.max(sigmas) > 1.25 * sigmas[0]
