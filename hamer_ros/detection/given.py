"""The detector ``given``: boxes come from outside, for those who find hands by themselves."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hamer_ros.detection.box_follower import BoxFollower, SideLook
from hamer_ros.detection.boxes import FoundBox
from hamer_ros.detection.detector import DEFAULT_OPTIONS, DetectorOptions
from hamer_ros.detection.side_look import SideByLandmarks
from hamer_ros.hands import Detection, Frame, Side
from hamer_ros.nets.device import Provider
from hamer_ros.nets.session import CPU
from hamer_ros.square_pixels import map_boxes

TOLERANCE = 1e-3
"""Seconds by which the stamps of boxes and their image may differ: what is lost where somebody
keeps stamps as floating-point numbers or in milliseconds."""

MAX_KEPT = 64
"""Images whose boxes are kept while they wait for their image."""


class GivenDetector:
    """Passes on the boxes that were given for an image.

    The boxes are taken as they are: no score is too low, and nothing is suppressed.  `give` may be
    called by another thread than `detect`.

    options: see DetectorOptions.
    look: asked for the side of boxes that come without one.
    """

    def __init__(
        self, options: DetectorOptions = DEFAULT_OPTIONS, look: SideLook | None = None
    ) -> None:
        self._follower = BoxFollower(options, look)
        self._given: deque[tuple[float, list[FoundBox]]] = deque(maxlen=MAX_KEPT)
        self._lock = threading.Lock()
        self._frames_without_boxes = 0

    @classmethod
    def load(
        cls,
        options: DetectorOptions = DEFAULT_OPTIONS,
        providers: tuple[Provider, ...] = CPU,
        threads: int = 1,
    ) -> GivenDetector:
        """Build the detector; the landmark net is loaded when the first box without a side comes.

        It must have been fetched by then: `detect` raises NetsMissingError otherwise.
        """
        return cls(options, SideByLandmarks(providers, threads))

    @property
    def frames_without_boxes(self) -> int:
        """Images so far for which nothing had been given, not even that there are no boxes."""
        return self._frames_without_boxes

    def give(
        self,
        boxes: np.ndarray,
        sides: Sequence[Side | None],
        scores: Sequence[float],
        stamp: float,
    ) -> None:
        """Keep the boxes of one image until the image comes.

        boxes: (N, 4) pixels: x_min, y_min, x_max, y_max; N = 0 says that there is no hand.
        sides: N sides; None where it is not known.
        scores: N confidences, 0 to 1.
        stamp: of the image, seconds.

        Raises ValueError for a box that is not finite or has no area, a score that is none, or
        lists of different lengths; nothing of the image is kept then.
        """
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        if not len(boxes) == len(sides) == len(scores):
            raise ValueError(f"{len(boxes)} boxes, {len(sides)} sides and {len(scores)} scores")
        for box, score in zip(boxes, scores, strict=True):
            if not (np.isfinite(box).all() and (box[2:] > box[:2]).all()):
                raise ValueError(f"x_min, y_min, x_max, y_max = {box.tolist()} is no box")
            if not 0 <= score <= 1:
                raise ValueError(f"the score {score} is not from 0 to 1")
        found = [
            FoundBox(box, float(score), None if side is None else float(side is Side.RIGHT))
            for box, side, score in zip(boxes, sides, scores, strict=True)
        ]
        with self._lock:
            self._given.append((stamp, found))

    def reset(self) -> None:
        """Forget the hands that are followed; boxes still wait for their images."""
        self._follower.reset()

    def detect(self, frame: Frame) -> list[Detection]:
        """The hands given for this image; none where nothing was given."""
        found = self._take(frame.stamp)
        if found is None:
            self._frames_without_boxes += 1
        found = found or []
        if frame.resampling is not None:
            found = [
                replace(one, box=map_boxes(one.box[None], frame.resampling)[0]) for one in found
            ]
        return self._follower.follow(frame.rgb, found)

    def _take(self, stamp: float) -> list[FoundBox] | None:
        """What was given for an image; boxes of earlier images are of no use any more."""
        with self._lock:
            own = [found for given, found in self._given if abs(given - stamp) <= TOLERANCE]
            later = [given for given in self._given if given[0] > stamp + TOLERANCE]
            self._given = deque(later, MAX_KEPT)
        return own[-1] if own else None
