"""Resampling of images whose pixels are not square: models know hands as they look, not squeezed.

Anamorphic video modes squeeze the picture, and fx and fy say by how much; a skew shears it.  The
whole image is resampled once, before anything looks at it, and what was found is mapped back to its
own pixels.  The metric result needs no such map, for the resampled image has a camera, too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from hamer_ros.camera.model import CameraModel
from hamer_ros.hands import Frame, Hand, PlacedHand, TrackedHand

TOLERANCE = 0.02
"""Relative difference of fx and fy, and skew over fy, that is not worth resampling: crops vary by
more from one image to the next.  Calibrations of square pixels differ by some thousandths."""


@dataclass(frozen=True)
class SquarePixels:
    """The map from an image to one with square pixels, and back.

    camera: that of the resampled image.
    to_square: (2, 3) affine map from pixels of the image to those of the resampled one.
    """

    camera: CameraModel
    to_square: np.ndarray

    def frame(self, frame: Frame) -> Frame:
        """The same frame with square pixels."""
        depth = None if frame.depth is None else self.depth(frame.depth)
        rgb = self._resampled(frame.rgb, cv2.INTER_LINEAR)
        boxes = frame.boxes
        if boxes is not None:
            boxes = tuple(
                replace(box, bounding_box=map_boxes(box.bounding_box[None], self.to_square)[0])
                for box in boxes
            )
        return replace(frame, rgb=rgb, camera=self.camera, depth=depth, boxes=boxes)

    def depth(self, depth: np.ndarray) -> np.ndarray:
        """The depth image with square pixels, from nearest neighbours: no distances in between."""
        return self._resampled(depth, cv2.INTER_NEAREST)

    def hand_back(self, tracked: TrackedHand) -> TrackedHand:
        """The same hand in the pixels of the image."""
        raw = tracked.raw if tracked.raw is None else self._placed_back(tracked.raw)
        return replace(tracked, placed=self._placed_back(tracked.placed), raw=raw)

    def _placed_back(self, placed: PlacedHand) -> PlacedHand:
        back = cv2.invertAffineTransform(self.to_square)
        hand: Hand = placed.hand
        detection, landmarks = hand.detection, hand.detection.landmarks
        if landmarks is not None:
            landmarks = replace(landmarks, pixels=_points(landmarks.pixels, back))
        detection = replace(
            detection,
            bounding_box=map_boxes(detection.bounding_box[None], back)[0],
            landmarks=landmarks,
        )
        keypoints = _points(hand.keypoints, back)
        return replace(placed, hand=replace(hand, detection=detection, keypoints=keypoints))

    def _resampled(self, image: np.ndarray, flags: int) -> np.ndarray:
        size = (self.camera.width, self.camera.height)
        return cv2.warpAffine(
            image, self.to_square, size, flags=flags, borderMode=cv2.BORDER_CONSTANT
        )


def square_pixels(camera: CameraModel) -> SquarePixels | None:
    """The map to square pixels; None where they are square enough.

    Squeezed pixels become about as many, sheared ones at most twice as many: `CameraModel` refuses
    more.
    """
    is_skewed = abs(camera.skew) > TOLERANCE * camera.fy
    if abs(math.log(camera.fx / camera.fy)) < TOLERANCE and not is_skewed:
        return None
    focal = math.sqrt(camera.fx * camera.fy)
    upright = camera
    shear = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    if is_skewed:
        # Every row moves against the skew; the image grows so that none is cut off.
        slope = -camera.skew / camera.fy
        reach = slope * (camera.height - 1)
        shear[0] = [1.0, slope, -min(0.0, reach)]
        width = camera.width + math.ceil(abs(reach))
        cx = float(camera.cx + slope * camera.cy + shear[0, 2])
        upright = replace(camera, width=width, cx=cx, skew=0.0)
    width = max(1, round(upright.width * focal / upright.fx))
    height = max(1, round(upright.height * focal / upright.fy))
    across, down = width / upright.width, height / upright.height
    scale = np.array([[across, 0.0], [0.0, down]])
    to_square = scale @ shear
    to_square[:, 2] += 0.5 * np.array([across, down]) - 0.5
    return SquarePixels(upright.resized(width, height), to_square)


def _points(points: np.ndarray, affine: np.ndarray) -> np.ndarray:
    return points @ affine[:, :2].T + affine[:, 2]


def map_boxes(boxes: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """The boxes (N, 4) around the images of boxes (N, 4) under an affine map (2, 3)."""
    corners = _points(boxes[:, [[0, 1], [2, 1], [0, 3], [2, 3]]], affine)
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
