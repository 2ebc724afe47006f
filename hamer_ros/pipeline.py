"""The whole way from an image to tracked hands, without ROS.

In a notebook:

>>> pipeline = HandPipeline(CameraModel.from_fov(640, 480, horizontal_fov=1.0))
>>> for hand in pipeline.process(rgb, stamp).hands:
...     hand.placed.joints  # (21, 3) metres in the camera frame
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from hamer_ros.camera import CameraModel
from hamer_ros.detection import Detector, make_detector
from hamer_ros.hands import (
    Frame,
    PlacedHand,
    Remark,
    SuggestedBox,
    TrackedHand,
    Unplaced,
    never,
)
from hamer_ros.placement.placer import Placer
from hamer_ros.recovery import Recoverer, make_recoverer
from hamer_ros.square_pixels import square_pixels
from hamer_ros.tracking import Tracker
from hamer_ros.tracking.one_euro import LEAST_STEP

LATE = 0.5
"""Seconds by which an image may be older than the one before it: images now and then come out of
order.  One that is older still belongs to a recording that starts again."""
STAGES = ("detect", "recover", "place", "track")

T = TypeVar("T")


@dataclass(frozen=True)
class Result:
    """What one frame gave.

    hands: in no particular order.  seconds: wall time of each of `STAGES`.
    stamp: seconds, as the stages were told it; see `HandPipeline.process`.
    unplaced: why hands that were recovered could not be placed, one reason each.
    remarks: why the depth image did not give the size of hands, for each of them.
    """

    hands: tuple[TrackedHand, ...]
    seconds: dict[str, float]
    stamp: float
    unplaced: tuple[str, ...]
    remarks: tuple[Remark, ...] = ()


class HandPipeline:
    """Detects, recovers, places and tracks hands, frame after frame.

    camera: the intrinsics of the frames to come; assign another one when they change.
    detector, recoverer: from `make_detector` and `make_recoverer`; the defaults need no licensed
        file.
    track_numbers: where other pipelines have used some before; otherwise from 1 on.
    """

    def __init__(
        self,
        camera: CameraModel,
        detector: Detector | None = None,
        recoverer: Recoverer | None = None,
        track_numbers: Iterator[int] | None = None,
    ) -> None:
        self._camera = camera
        self._square = square_pixels(camera)
        self.detector = make_detector("landmarks") if detector is None else detector
        self.recoverer = make_recoverer("landmarks") if recoverer is None else recoverer
        self.placer = Placer(self.recoverer.model.faces)
        self.tracker = Tracker(self.recoverer.model, numbers=track_numbers)
        self._stamp = self._time = -np.inf

    @property
    def camera(self) -> CameraModel:
        """The intrinsics of the frames to come."""
        return self._camera

    @camera.setter
    def camera(self, camera: CameraModel) -> None:
        # Where hands were in an image of another size says nothing about the next one.
        if camera == self._camera:
            return
        square = square_pixels(camera)
        size, last_size = ((c.width, c.height) for c in (camera, self._camera))
        if size != last_size or (square is None) != (self._square is None):
            self.reset()
        self._camera, self._square = camera, square

    def reset(self) -> None:
        """Forget all earlier frames."""
        self.detector.reset()
        self.recoverer.reset()
        self.placer.reset()
        self.tracker.reset()
        self._stamp = self._time = -np.inf

    def process(
        self,
        rgb: np.ndarray,
        stamp: float,
        depth: np.ndarray | None = None,
        abandoned: Callable[[], bool] = never,
        boxes: tuple[SuggestedBox, ...] | None = None,
    ) -> Result:
        """Find the hands of one frame.

        rgb: (H, W, 3) uint8, as large as the camera's image.
        stamp: seconds.  One that is earlier than the last by more than `LATE` resets the pipeline
            (a recording starts again).  One that is a little earlier, or equal because a driver
            gives all images the same, counts as `LEAST_STEP` later: time must pass for hands that
            are gone to be forgotten.
        depth: (H, W) float32 metres, aligned with the image, where there is such a thing.
        abandoned: is asked now and then whether nobody waits for the hands any more.
        boxes: found by somebody else, for the detector that takes them.

        Raises:
            ValueError: an image of another type or size than the camera's.
            AbandonedError: the frame was abandoned.
        """
        expected = (self.camera.height, self.camera.width, 3)
        if rgb.dtype != np.uint8 or rgb.shape != expected:
            raise ValueError(
                f"image is {rgb.dtype} {rgb.shape}; the intrinsics are for uint8 {expected}"
            )
        if stamp < self._stamp - LATE:
            self.reset()
        self._stamp = max(stamp, self._stamp)
        stamp = self._time = max(self._stamp, self._time + LEAST_STEP)
        if depth is not None:
            self._check_depth(depth)
        frame = Frame(rgb, stamp, self.camera, depth, abandoned, boxes)
        square = self._square
        if square is not None:
            frame = square.frame(frame)
        seconds: dict[str, float] = {}
        detections = _timed(seconds, "detect", lambda: self.detector.detect(frame))
        frame.check_wanted()
        hands = _timed(seconds, "recover", lambda: self.recoverer.recover(frame, detections))
        frame.check_wanted()
        placements = _timed(seconds, "place", lambda: self.placer.place(frame, hands))
        placed = [hand for hand in placements if isinstance(hand, PlacedHand)]
        unplaced = tuple(hand.reason for hand in placements if isinstance(hand, Unplaced))
        tracked = _timed(seconds, "track", lambda: self.tracker.track(frame, placed))
        left_out = len(placed) - sum(hand.raw is not None for hand in tracked)
        if square is not None:
            tracked = [square.hand_back(hand) for hand in tracked]
        unplaced = (*unplaced, *("not finite",) * left_out)
        remarks = tuple(hand.remark for hand in placed if hand.remark is not None)
        return Result(tuple(tracked), seconds, stamp, unplaced, remarks)

    def learn_size(self, stamp: float, depth: np.ndarray) -> tuple[Remark, ...]:
        """Learn the sizes of an earlier frame's hands from its depth image, which came late.

        stamp: `Result.stamp` of the frame.  depth: as `process` takes it.
        Returns why hands of the frame gave no size.

        Raises:
            ValueError: a depth image of another size than the camera's.
        """
        self._check_depth(depth)
        if self._square is not None:
            depth = self._square.depth(depth)
        return self.placer.learn_size(stamp, depth)

    def _check_depth(self, depth: np.ndarray) -> None:
        expected = (self.camera.height, self.camera.width)
        if depth.shape != expected:
            raise ValueError(f"depth is {depth.shape}; the intrinsics are for {expected}")


def _timed(seconds: dict[str, float], stage: str, work: Callable[[], T]) -> T:
    begin = time.perf_counter()
    result = work()
    seconds[stage] = time.perf_counter() - begin
    return result
