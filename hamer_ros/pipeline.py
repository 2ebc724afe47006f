"""The pipeline from an image to tracked hands, without ROS.

In a notebook:

>>> camera = CameraModel.from_fov(640, 480, horizontal_fov=1.0)
>>> for hand in HandPipeline().process(Frame(rgb, stamp, camera)).hands:
...     hand.placed.joints  # (21, 3) metres in the camera frame
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from hamer_ros.camera.model import CameraModel
from hamer_ros.detection import Detector, make_detector
from hamer_ros.estimation import Estimator, make_estimator
from hamer_ros.hands import (
    NOT_FINITE,
    Frame,
    PlacedHand,
    Remark,
    TrackedHand,
    Unplaced,
)
from hamer_ros.placement.placer import Placer
from hamer_ros.square_pixels import SquarePixels, square_pixels
from hamer_ros.tracking import Tracker
from hamer_ros.tracking.one_euro import LEAST_STEP

LATE = 0.5
"""Seconds by which an image may be older than the one before it: images now and then come out of
order.  One that is older still belongs to a recording that starts again."""
STEPS = ("detect", "estimate", "place", "track")
"""Names of the pipeline's steps, in order."""

T = TypeVar("T")


@dataclass(frozen=True)
class Result:
    """The result of one frame.

    hands: in no particular order.
    seconds: wall time of each of `STEPS`.
    stamp: seconds; the time that the steps computed with, see `HandPipeline.process`.
    unplaced: why hands that were estimated could not be placed, one reason each.
    remarks: why the depth image did not give the size of hands, for each of them.
    """

    hands: tuple[TrackedHand, ...]
    seconds: dict[str, float]
    stamp: float
    unplaced: tuple[str, ...]
    remarks: tuple[Remark, ...] = ()


class HandPipeline:
    """Detects hands, estimates, places and tracks them, frame after frame.

    detector, estimator: from `make_detector` and `make_estimator`; the defaults need no licensed
        file.
    track_ids: ids for new tracks, those that an earlier pipeline has left; from 1 on by default.
    """

    def __init__(
        self,
        detector: Detector | None = None,
        estimator: Estimator | None = None,
        track_ids: Iterator[int] | None = None,
    ) -> None:
        self.detector = make_detector("landmarks") if detector is None else detector
        self.estimator = make_estimator("landmarks") if estimator is None else estimator
        self.placer = Placer(self.estimator.model.faces)
        self.tracker = Tracker(self.estimator.model, ids=track_ids)
        self._camera: CameraModel | None = None
        self._square: SquarePixels | None = None
        self._stamp = self._time = -np.inf

    def reset(self) -> None:
        """Forget all earlier frames."""
        self.detector.reset()
        self.estimator.reset()
        self.placer.reset()
        self.tracker.reset()
        self._stamp = self._time = -np.inf

    def process(self, frame: Frame) -> Result:
        """Find the hands of the next frame of a stream.

        A frame whose stamp is earlier than the last one's by more than `LATE` resets the pipeline:
        a recording starts again.  One that is a little earlier, or equal because a driver gives all
        images the same, counts as `LEAST_STEP` later: time must pass for hands that are gone to be
        forgotten.  A frame of another size resets the pipeline, too.

        Raises:
            AbandonedError: the frame was abandoned.
        """
        self._take_camera(frame.camera)
        if frame.stamp < self._stamp - LATE:
            self.reset()
        self._stamp = max(frame.stamp, self._stamp)
        self._time = max(self._stamp, self._time + LEAST_STEP)
        frame = replace(frame, stamp=self._time)
        square = self._square
        if square is not None:
            frame = square.frame(frame)
        seconds: dict[str, float] = {}
        detections = _timed(seconds, "detect", lambda: self.detector.detect(frame))
        frame.check_wanted()
        hands = _timed(seconds, "estimate", lambda: self.estimator.estimate(frame, detections))
        frame.check_wanted()
        placements = _timed(seconds, "place", lambda: self.placer.place(frame, hands))
        placed = [hand for hand in placements if isinstance(hand, PlacedHand) and hand.is_finite]
        tracked = _timed(seconds, "track", lambda: self.tracker.track(frame, placed))
        finite = [hand for hand in tracked if hand.placed.is_finite]
        unplaced = [hand.reason for hand in placements if isinstance(hand, Unplaced)]
        lost = len(placements) - len(unplaced) - len(placed) + len(tracked) - len(finite)
        unplaced += [NOT_FINITE] * lost
        if square is not None:
            finite = [square.hand_back(hand) for hand in finite]
        return Result(
            hands=tuple(finite),
            seconds=seconds,
            stamp=frame.stamp,
            unplaced=tuple(unplaced),
            remarks=tuple(hand.remark for hand in placed if hand.remark is not None),
        )

    def learn_size(self, stamp: float, depth: np.ndarray) -> tuple[Remark, ...]:
        """Learn the sizes of an earlier frame's hands from its depth image, which came late.

        stamp: `Result.stamp` of the frame.
        depth: (H, W) float32 metres, as `Frame.depth`.

        Returns why hands of the frame gave no size.

        Raises:
            ValueError: a depth image of another size than the last frame's.
        """
        if self._camera is not None:
            size = self._camera.height, self._camera.width
            if depth.shape != size:
                raise ValueError(f"depth is {depth.shape}; the intrinsics are for {size}")
        if self._square is not None:
            depth = self._square.depth(depth)
        return self.placer.learn_size(stamp, depth)

    def _take_camera(self, camera: CameraModel) -> None:
        """Use the intrinsics of the next frame from now on."""
        last, self._camera = self._camera, camera
        if camera == last:
            return
        square, last_square = square_pixels(camera), self._square
        self._square = square
        # Where hands were in an image of another size says nothing about the next one.
        if last is not None and (
            (camera.width, camera.height) != (last.width, last.height)
            or (square is None) != (last_square is None)
        ):
            self.reset()


def _timed(seconds: dict[str, float], step: str, work: Callable[[], T]) -> T:
    begin = time.perf_counter()
    result = work()
    seconds[step] = time.perf_counter() - begin
    return result
