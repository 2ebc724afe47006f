"""Consistency of the covariance of hands in the rendered clip, from detections to tracks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from bench.records import Record
from hamer_ros.camera.model import CameraModel
from hamer_ros.geometry.rotations import log_so3
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hands import Frame, PlacedHand
from hamer_ros.pipeline import HandPipeline
from hamer_ros.rendering.clip import FRAME_RATE, HEIGHT, INTRINSICS, WIDTH, HandTruth, clip_frame

FRAMES = 150
CHI2_3_95 = 7.814727903251179


@dataclass(frozen=True)
class VectorErrors:
    """Errors (N, 3) and their covariances (N, 3, 3) in axes of which z is the ray to the wrist."""

    error: np.ndarray
    covariance: np.ndarray

    @property
    def coverage(self) -> float:
        """The share of the 95 % ellipsoids that contain the truth."""
        solved = np.linalg.solve(self.covariance, self.error[..., None])[..., 0]
        return float(((solved * self.error).sum(1) < CHI2_3_95).mean())

    def ratio(self, axes: slice) -> float:
        """Return the stated over the true root mean square error, along some of the axes."""
        stated = np.diagonal(self.covariance, axis1=1, axis2=2)[:, axes]
        return float(np.sqrt(stated.sum(1).mean() / (self.error[:, axes] ** 2).sum(1).mean()))


def measure_consistency(frames: int = FRAMES) -> list[Record]:
    """Return coverage and sharpness of position and rotation, as placed and as smoothed."""
    placed: dict[str, list[tuple[PlacedHand, HandTruth]]] = {"raw": [], "smoothed": []}
    for raw, shown, truth in _hands(frames):
        placed["raw"].append((raw, truth))
        placed["smoothed"].append((shown, truth))
    records = []
    for name, pairs in placed.items():
        position, rotation = _vector_errors(pairs)
        coverage_reference, reference = (
            "what a 95 % ellipsoid should hold",
            "stated over true rms: 1",
        )
        figures = {
            "position": position.ratio(slice(3)),
            "across": position.ratio(slice(2)),
            "along": position.ratio(slice(2, 3)),
            "rotation": rotation.ratio(slice(3)),
        }
        for what, measured in (("position", position), ("rotation", rotation)):
            figure = f"placement/clip_coverage/{what}/{name}"
            records.append(Record(figure, measured.coverage, "", coverage_reference, 0.95))
        records += [
            Record(f"placement/clip_sigma_ratio/{what}/{name}", ratio, "", reference, 1.0)
            for what, ratio in figures.items()
        ]
    return records


def _hands(frames: int) -> Iterator[tuple[PlacedHand, PlacedHand, HandTruth]]:
    """Yield the hands that are seen, as placed and as smoothed, and the true ones."""
    model = HandModel.default()
    fx, fy, cx, cy = INTRINSICS[[0, 1, 0, 1], [0, 1, 2, 2]]
    camera = CameraModel(WIDTH, HEIGHT, fx, fy, cx, cy)
    pipeline = HandPipeline()
    for k in tqdm(range(frames), "clip"):
        frame = clip_frame(model, k)
        truths = {hand.handedness: hand for hand in frame.hands}
        for hand in pipeline.process(Frame(frame.rgb, k / FRAME_RATE, camera)).hands:
            if hand.raw is not None:
                yield hand.raw, hand.placed, truths[hand.placed.hand.handedness]


def _vector_errors(pairs: list[tuple[PlacedHand, HandTruth]]) -> tuple[VectorErrors, VectorErrors]:
    """Return the errors of position and of rotation."""
    errors, covariances = [], []
    for placed, truth in pairs:
        ray = placed.translation / np.linalg.norm(placed.translation)
        across = np.linalg.svd(ray[None])[2][1:]
        axes = np.stack([*across, ray])
        both = np.kron(np.eye(2), axes)
        moved = placed.translation - truth.joints[0]
        turned = log_so3(placed.rotation @ truth.rotation.T)
        errors.append(both @ np.concatenate([moved, turned]))
        covariances.append(both @ placed.covariance @ both.T)
    error, covariance = np.stack(errors), np.stack(covariances)
    return (
        VectorErrors(error[:, :3], covariance[:, :3, :3]),
        VectorErrors(error[:, 3:], covariance[:, 3:, 3:]),
    )
