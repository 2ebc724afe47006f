"""Rendered scenes in which hands are easily lost or mixed up: crossings, occlusions, fast motion.

As in ``clip``, a frame is a function of its index alone and every joint is known.  Hands move at
people's speeds, 0.3 to 1 m/s.  A variation is another draw of depths, speeds, heights and turns;
variation 0 is the plain one.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.board import Board, paint
from hamer_ros.geometry.rotations import exp_so3
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hand_model.topology import closed_faces, mirrored_faces
from hamer_ros.hands import Handedness
from hamer_ros.rendering.clip import (
    FACING,
    FRAME_RATE,
    HEIGHT,
    INTRINSICS,
    WIDTH,
    ClipFrame,
    HandTruth,
    hand_rotations,
    picture,
    pose_hand,
    with_noise,
)
from hamer_ros.rendering.raster import rasterize

HIDDEN_FRAMES = 10
"""Number of frames for which a board hides a hand completely."""

STILL_FRAMES = 360
"""Number of frames of the scene ``still``: much longer than a filter's memory, or its jitter would
look small."""

SWEEP_SPEED = 1.0
"""Metres per second of the hand in the scene ``sweep``."""

_BOARD_MARGIN = 8
"""Pixels by which a board that slides reaches over the hand."""

_SWING_FLEX = 0.12
"""Flexion of a swinging hand, as a share of closing it, and its turn, radians."""


class Wave(enum.Enum):
    """The motion of a hand between its turning points."""

    SINE = enum.auto()
    TRIANGLE = enum.auto()

    def __call__(self, turns: float) -> float:
        """Return 1 at whole numbers of turns and -1 halfway between them."""
        if self is Wave.SINE:
            return float(np.cos(2.0 * np.pi * turns))
        return 4.0 * abs(turns - np.floor(turns) - 0.5) - 1.0


@dataclass(frozen=True)
class Trajectory:
    """The motion of one hand, with its palm to the camera and its fingers up.

    centre: metres in the camera frame, halfway between its turning points.
    swing: metres from there to the turning point where it starts; zero for a still hand.
    period: seconds from there and back.
    tilt: radians, clockwise in the image.
    """

    handedness: Handedness
    centre: tuple[float, float, float]
    swing: tuple[float, float, float] = (0.0, 0.0, 0.0)
    period: float = 1.0
    wave: Wave = Wave.SINE
    tilt: float = 0.0

    def truth(self, model: HandModel, index: int) -> HandTruth:
        """Return the hand in a frame."""
        turns = index / FRAME_RATE / self.period
        middle = np.array(self.centre) + np.array(self.swing) * self.wave(turns)
        swings = any(self.swing) and self.wave is Wave.SINE
        flex = _SWING_FLEX * np.sin(2.0 * np.pi * turns) if swings else 0.0
        mirror = -1.0 if self.handedness is Handedness.LEFT else 1.0
        turn = exp_so3(np.array([0.0, flex, mirror * self.tilt + flex]))
        return pose_hand(
            model,
            self.handedness,
            turn @ FACING,
            hand_rotations(0.15 + flex),
            middle * [mirror, 1.0, 1.0],
        )


@dataclass(frozen=True)
class Scene:
    """A clip of some hands, and of boards before them."""

    name: str
    variation: int
    n_frames: int
    trajectories: tuple[Trajectory, ...]
    boards: tuple[Board, ...] = ()

    def truth(self, model: HandModel, index: int) -> tuple[HandTruth, ...]:
        """Return the hands of a frame, hidden ones included."""
        return tuple(trajectory.truth(model, index) for trajectory in self.trajectories)

    def frame(self, model: HandModel, index: int) -> ClipFrame:
        """Return a rendered frame."""
        hands = self.truth(model, index)
        rgb = picture(model, hands)
        for board in self.boards:
            paint(rgb, board, index)
        return ClipFrame(with_noise(rgb, [self.variation, index]), hands)

    def visible_shares(self, model: HandModel, index: int) -> list[float]:
        """Return the visible share of each hand's silhouette in a frame, 0 to 1."""
        depths = [_depths(model, hand) for hand in self.truth(model, index)]
        nearest = np.min(depths, axis=0)
        open_view = np.ones(nearest.shape, bool)
        for board in self.boards:
            open_view[board.place(index, WIDTH, HEIGHT)] = False
        return [
            float(np.mean((open_view & (depth <= nearest))[np.isfinite(depth)])) for depth in depths
        ]


def scenes(model: HandModel, variation: int) -> list[Scene]:
    """Return one scene of each kind that has variations: crossings and occlusions."""
    return [
        crossing(variation),
        crossing_same_side(variation),
        occlusion_still(model, variation),
        occlusion_moving(model, variation),
        occlusion_both(model, variation),
    ]


def crossing(variation: int = 0) -> Scene:
    """Return a scene where a right hand passes before a left one, and both come back."""
    return _crossing("crossing", (Handedness.RIGHT, Handedness.LEFT), variation)


def crossing_same_side(variation: int = 0) -> Scene:
    """Return the same scene with the right hands of two people."""
    return _crossing("crossing_same_side", (Handedness.RIGHT, Handedness.RIGHT), variation)


def occlusion_still(model: HandModel, variation: int = 0) -> Scene:
    """Return a scene where a board hides a still left hand while the right one moves vertically."""
    draw = _Draw(variation)
    still = Trajectory(
        Handedness.LEFT,
        (0.14, draw(0.0, -0.03, 0.03), draw(0.55, 0.5, 0.62)),
        tilt=draw(0.0, -0.2, 0.2),
    )
    moving = Trajectory(
        Handedness.RIGHT,
        (-0.15, 0.0, 0.55),
        (0.0, -0.06, 0.0),
        period=draw(0.9, 0.7, 1.1),
        tilt=-0.1,
    )
    return _slid_in(model, Scene("occlusion_still", variation, 60, (still, moving)), (0,))


def occlusion_moving(model: HandModel, variation: int = 0) -> Scene:
    """Return a scene where a right hand passes behind a board, while the left one is still."""
    draw = _Draw(variation)
    depth = draw(0.88, 0.8, 0.95)
    moving = Trajectory(
        Handedness.RIGHT,
        (-0.1 * depth, draw(0.0, -0.03, 0.03), depth),
        (-0.32 * depth, 0.0, 0.0),
        period=draw(4.2, 3.6, 4.8),
        tilt=draw(0.0, -0.15, 0.15),
    )
    still = Trajectory(Handedness.LEFT, (0.39 * depth, 0.02, depth), tilt=0.05)
    n_frames = round(0.5 * FRAME_RATE * moving.period)
    scene = Scene("occlusion_moving", variation, n_frames, (moving, still))
    first = (n_frames - HIDDEN_FRAMES) // 2
    last = first + HIDDEN_FRAMES - 1
    boxes = {k: _box(moving.truth(model, k)) for k in (first - 1, first, last, last + 1)}
    # Its edges lie where the hand disappears and comes out between one frame and the next.
    left = round((boxes[first - 1][0] + boxes[first][0]) / 2)
    right = round((boxes[last][2] + boxes[last + 1][2]) / 2)
    return replace(scene, boards=(Board(left, 0, right, HEIGHT),))


def occlusion_both(model: HandModel, variation: int = 0) -> Scene:
    """Return a scene where boards hide both hands, one of which goes on moving behind."""
    draw = _Draw(variation)
    left = Trajectory(
        Handedness.LEFT,
        (0.15, 0.0, 0.56),
        (0.0, 0.04, 0.0),
        period=draw(0.8, 0.7, 0.9),
        tilt=draw(0.1, 0.0, 0.2),
    )
    right = Trajectory(
        Handedness.RIGHT,
        (-0.15, draw(0.0, -0.03, 0.03), draw(0.55, 0.5, 0.6)),
        tilt=draw(-0.1, -0.2, 0.0),
    )
    return _slid_in(model, Scene("occlusion_both", variation, 60, (left, right)), (0, 1))


def still() -> Scene:
    """Return a scene of two still hands: only the camera's noise differs between frames."""
    trajectories = (
        Trajectory(Handedness.LEFT, (0.14, 0.0, 0.55), tilt=0.1),
        Trajectory(Handedness.RIGHT, (-0.14, 0.02, 0.6), tilt=-0.1),
    )
    return Scene("still", 0, STILL_FRAMES, trajectories)


def sweep() -> Scene:
    """Return a scene of one hand that moves to and fro at a constant speed."""
    reach = 0.36
    hand = Trajectory(
        Handedness.RIGHT,
        (0.0, 0.0, 0.9),
        (-reach, 0.0, 0.0),
        period=4.0 * reach / SWEEP_SPEED,
        wave=Wave.TRIANGLE,
    )
    return Scene("sweep", 0, 105, (hand,))


class _Draw:
    """Draws values about plain ones; variation 0 is the plain values themselves."""

    def __init__(self, variation: int) -> None:
        self._rng = np.random.default_rng(variation) if variation else None

    def __call__(self, plain: float, low: float, high: float) -> float:
        return plain if self._rng is None else float(self._rng.uniform(low, high))


def _crossing(name: str, sides: tuple[Handedness, Handedness], variation: int) -> Scene:
    draw = _Draw(variation)
    period = draw(2.0, 1.4, 3.3)
    near, far = draw(0.47, 0.43, 0.5), draw(0.64, 0.58, 0.7)
    reach = 0.34  # of the depth, so that both turn near the edges of the image
    trajectories = (
        Trajectory(sides[0], (0.0, draw(0.02, 0.0, 0.04), near), (-reach * near, 0.0, 0.0), period,
               tilt=draw(0.0, -0.2, 0.2)),
        Trajectory(sides[1], (0.0, draw(-0.02, -0.08, 0.04), far), (reach * far, 0.0, 0.0), period,
               tilt=draw(0.0, -0.2, 0.2)),
    )  # fmt: skip
    return Scene(name, variation, round(1.1 * period * FRAME_RATE), trajectories)


def _slid_in(model: HandModel, scene: Scene, hidden: Sequence[int]) -> Scene:
    """Return the scene with boards that come in from below, hide some of the hands and leave."""
    first = (scene.n_frames - HIDDEN_FRAMES) // 2
    last = first + HIDDEN_FRAMES - 1
    boards = []
    for k in hidden:
        boxes = np.array(
            [_box(scene.trajectories[k].truth(model, index)) for index in range(first, last + 1)]
        )
        left, top = (int(x) - _BOARD_MARGIN for x in boxes[:, :2].min(axis=0))
        right, bottom = (int(x) + _BOARD_MARGIN for x in boxes[:, 2:].max(axis=0))
        away = (0.0, float(HEIGHT - top))
        boards.append(Board(left, top, right, bottom, first, last, away))
    return replace(scene, boards=tuple(boards))


def _box(hand: HandTruth) -> np.ndarray:
    """Return (4,) u_min, v_min, u_max, v_max around the whole hand, pixels."""
    pixels = (hand.vertices / hand.vertices[:, 2:]) @ INTRINSICS[:2].T
    return np.concatenate([pixels.min(0), pixels.max(0)])


def _depths(model: HandModel, hand: HandTruth) -> np.ndarray:
    """Return (480, 640) metres to the surface of a hand alone; infinite beside it."""
    faces = closed_faces(model.faces)
    if hand.handedness is Handedness.LEFT:
        faces = mirrored_faces(faces)
    raster = rasterize(hand.vertices, faces, INTRINSICS, WIDTH, HEIGHT)
    depths = np.full((HEIGHT, WIDTH), np.inf, np.float32)
    height, width = raster.depth.shape
    depths[raster.top : raster.top + height, raster.left : raster.left + width] = raster.depth
    return depths
