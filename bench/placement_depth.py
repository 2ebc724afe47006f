"""Accuracy of the size of a hand, and with it of its distance, from a depth image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from bench.placement_scenes import CAMERAS, Errors, Scene, scenes
from bench.records import Record
from hamer_ros.camera.model import CameraModel
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hand_model.topology import closed_faces, mirrored_faces
from hamer_ros.hands import Frame, Handedness, PlacedHand
from hamer_ros.placement.placer import Placer
from hamer_ros.placement.size import POPULATION_SIGMA
from hamer_ros.rendering.raster import rasterize

HANDS = 40
CALIBRATION = 30
DISTANCE = 0.5
DEPTH_SIGMA = 0.002
HOLES = 0.2
BACKGROUND = 0.9
OBJECT_RADIUS = 0.03
CAMERA = CAMERAS[0]


def measure_depth() -> list[Record]:
    """Measure a hand at half a metre that holds a ball before a wall; 2 mm of noise, 20 % holes."""
    rng = np.random.default_rng(50)
    model = HandModel.default()
    own = Placer(model.faces)
    errors = []
    for scene, true_size in _hands(rng):
        own.reset()
        frame = _frame(rng, scene, true_size, model.faces)
        (placed,) = own.place(frame, [scene.hand])
        assert isinstance(placed, PlacedHand)
        errors.append(np.linalg.norm(placed.joints - scene.joints, axis=1).mean())
    size = _calibrated(rng, model.faces)
    return [
        Record("placement/depth_error_mm", 1e3 * float(np.mean(errors)), "mm", "the limit", 5.0),
        Record("placement/size_error_percent", 100 * size, "%", "the limit", 1.0),
    ]


def _hands(rng: np.random.Generator) -> Iterator[tuple[Scene, float]]:
    """Yield hands of unknown size at half a metre, with their true over their estimated size."""
    drawn = scenes(12 * HANDS, Errors(1.0, 0, 0.0, 0.0, np.radians(5)), 51, (0.0, 20.0))
    usable = (s for s in drawn if s.camera is CAMERA and len(s.hand.vertices) == 778)
    for scene, _ in zip(usable, range(HANDS), strict=False):
        size = float(np.exp(POPULATION_SIGMA * rng.normal()))
        yield _moved(scene, size, rng), size


def _moved(scene: Scene, size: float, rng: np.random.Generator) -> Scene:
    """Return the same hand, of another size, at `DISTANCE`."""
    offsets = size * (scene.joints - scene.joints[0])
    ray = scene.joints.mean(0) / np.linalg.norm(scene.joints.mean(0))
    joints = offsets - offsets.mean(0) + DISTANCE * ray
    keypoints = CAMERA.project(joints) + rng.normal(size=(21, 2))
    return replace(scene, joints=joints, hand=replace(scene.hand, keypoints=keypoints))


def _frame(rng: np.random.Generator, scene: Scene, size: float, faces: np.ndarray) -> Frame:
    """Return a depth image of the hand, a ball in it and a wall behind, noisy and with holes."""
    vertices = size * scene.hand.vertices @ scene.rotation.T + scene.joints[0]
    closed = closed_faces(faces)
    if scene.hand.handedness is Handedness.LEFT:
        closed = mirrored_faces(closed)
    depth = np.full((CAMERA.height, CAMERA.width), BACKGROUND)
    raster = rasterize(vertices, closed, CAMERA.matrix, CAMERA.width, CAMERA.height)
    rows, columns = raster.depth.shape
    window = np.s_[raster.top : raster.top + rows, raster.left : raster.left + columns]
    depth[window] = np.minimum(depth[window], raster.depth)
    depth = np.minimum(depth, _ball(scene.joints[[4, 8, 9]].mean(0), CAMERA))
    depth += DEPTH_SIGMA * rng.normal(size=depth.shape)
    depth[rng.random(depth.shape) < HOLES] = 0.0
    image = np.empty((0, 0, 3), np.uint8)
    return Frame(image, 0.0, CAMERA, depth.astype(np.float32))


def _ball(center: np.ndarray, camera: CameraModel) -> np.ndarray:
    """Return the depth (H, W) of a ball's nearer side; infinite beside it."""
    v, u = np.mgrid[: camera.height, : camera.width]
    rays = np.stack(
        [(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(u.shape)], axis=-1
    )
    a = (rays**2).sum(-1)
    b = rays @ center
    root = b**2 - a * (center @ center - OBJECT_RADIUS**2)
    return np.where(root > 0, (b - np.sqrt(np.maximum(root, 0))) / a, np.inf)


def _calibrated(rng: np.random.Generator, faces: np.ndarray) -> float:
    """Return the rms relative error of the size after `CALIBRATION` depth images of each hand."""
    errors = []
    for scene, size in _hands(rng):
        own = Placer(faces)
        placed = None
        for _ in range(CALIBRATION):
            again = _moved(scene, 1.0, rng)
            (placed,) = own.place(_frame(rng, again, size, faces), [again.hand])
        assert isinstance(placed, PlacedHand)
        errors.append(np.log(placed.scale / size))
        if len(errors) == HANDS // 4:
            break
    return float(np.sqrt(np.mean(np.square(errors))))
