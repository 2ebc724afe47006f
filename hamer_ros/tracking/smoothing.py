"""The One-Euro filter on a hand: its way, its rotation, its fingers and its shape.

Every part is smoothed where it lives, and the surface is skinned anew, so that a smoothed hand is
a hand of the model like any other: no bone shrinks, and `hand_pose` and `betas` give its joints.

way
    The wrist in hand lengths, t / L.  That is what the pixels decide; L, the metric length of the
    hand, is known from elsewhere, and when it changes the hand grows and moves at once, as it
    must to stay where it is in the image.  The part along the ray and the part across it have
    speeds and cutoffs of their own.
rotation, fingers
    16 rotations, each with its own angular speed.
shape, length
    betas and log L do not move: a low-pass at `min_cutoff`.  L is taken over at once when
    something else fixes it, a depth image that begins for example.

A recoverer's joints need not be those of its parameters (the ensemble averages them).  Where they
are not, the difference is a low-passed offset in the wrist frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from hamer_ros.hand_model.model import HandModel
from hamer_ros.hand_model.skinning import forward, relative_to_wrist
from hamer_ros.hand_model.topology import FINGERTIP_VERTICES
from hamer_ros.hands import Hand, PlacedHand, ScaleSource, Side
from hamer_ros.placement.size import log_length, log_size
from hamer_ros.rotations import exp_so3, log_so3, mirror_rotation
from hamer_ros.tracking.one_euro import alpha, gain, low_pass_rate
from hamer_ros.tracking.options import TrackerOptions

DEPTH_SHARE = 0.2
"""How much less the speed along the ray counts than the one across it: depth is the noisier one,
four times on the rendered clip and ten times in the solver's covariance of a flat hand."""
PALM_RADIUS = 0.06
"""Metres; a turn of the wrist counts as the speed of the palm's middle, this far from it ..."""
FINGER_RADIUS = 0.03
"""... and that of a finger's joint as the speed of the middle of what it moves."""

NOISE_SPEED = 0.03
"""Metres per second, counted as above: speed that the noise of a still hand looks like.  Only what
is faster raises the cutoff.  A filter that trails by 1 mm at 30 frames a second sees this speed, so
a real motion is noticed hardly later."""

_RADII = np.array([PALM_RADIUS] + [FINGER_RADIUS] * 15)
_TIP_VERTICES = list(FINGERTIP_VERTICES.values())
_TIP_JOINTS = [4, 8, 12, 16, 20]
_MIRROR = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Offset:
    """What a recoverer adds to the skinned hand, wrist frame: joints (21, 3), surface (3,)."""

    joints: np.ndarray
    surface: np.ndarray


@dataclass(frozen=True)
class Smoothed:
    """A filter's state: what is hatted in `one_euro`, and the speeds.

    side: of the hand that `rotations` and `offset` belong to.
    way: (3,) hand lengths.  way_rate: (3,) metres per second.
    log_size: logarithm of the hand's length in metres, and what fixed it.
    rotations: (16, 3, 3) wrist -> camera, then the finger joints.  turn_rate: (16, 3) rad/s.
    betas: (10,).
    left_to_turn: (3,) rotation vector in the camera frame, from the smoothed rotation to the one
        sighted last.
    sightings: how many there were.  No gain is less than one in so many: at first the filter is the
        mean of all that was seen, or the first sighting would be remembered for seconds.
    """

    side: Side
    way: np.ndarray
    way_rate: np.ndarray
    log_size: float
    scale_source: ScaleSource
    rotations: np.ndarray
    turn_rate: np.ndarray
    betas: np.ndarray
    offset: Offset | None
    left_to_turn: np.ndarray
    sightings: int = 1

    @property
    def translation(self) -> np.ndarray:
        """(3,) metres, the wrist in the camera frame."""
        return math.exp(self.log_size) * self.way


def begin(placed: PlacedHand, model: HandModel) -> Smoothed:
    """The state after a first sighting, which passes through."""
    size = log_size(placed)
    return Smoothed(
        side=placed.hand.side,
        way=math.exp(-size) * placed.translation,
        way_rate=np.zeros(3),
        log_size=size,
        scale_source=placed.scale_source,
        rotations=_rotations(placed),
        turn_rate=np.zeros((16, 3)),
        betas=placed.hand.betas,
        offset=_offset(placed.hand, model),
        left_to_turn=np.zeros(3),
    )


def follow(
    state: Smoothed, placed: PlacedHand, dt: float, options: TrackerOptions, model: HandModel
) -> Smoothed:
    """The state after one more sighting, dt seconds after the last one.

    With smoothing off everything passes through, but for the speeds: when it is switched on again
    nothing jumps.
    """
    state = _follow_way(state, placed, dt, options)
    rotations = _rotations(placed)
    difference = log_so3(rotations @ state.rotations.transpose(0, 2, 1))
    turn_rate = low_pass_rate(state.turn_rate, difference, dt, options.d_cutoff)
    offset = _offset(placed.hand, model)
    if not options.smooth:
        return replace(
            state,
            log_size=log_size(placed),
            scale_source=placed.scale_source,
            way=math.exp(-log_size(placed)) * placed.translation,
            rotations=rotations,
            turn_rate=turn_rate,
            betas=placed.hand.betas,
            offset=offset,
            left_to_turn=np.zeros(3),
        )
    speed = np.sqrt((turn_rate**2).sum(1))
    least = 1 / state.sightings
    turned = np.maximum(_gain(_RADII * speed, dt, options), least)
    slow = max(alpha(options.min_cutoff, dt), least)
    size = log_size(placed)
    if placed.scale_source is state.scale_source:
        size = state.log_size + slow * (size - state.log_size)
    return replace(
        state,
        log_size=size,
        scale_source=placed.scale_source,
        rotations=exp_so3(turned[:, None] * difference) @ state.rotations,
        turn_rate=turn_rate,
        betas=state.betas + slow * (placed.hand.betas - state.betas),
        offset=_mixed(state.offset, offset, slow),
        left_to_turn=(1 - turned[0]) * difference[0],
    )


def follow_way(state: Smoothed, placed: PlacedHand, dt: float, options: TrackerOptions) -> Smoothed:
    """The state after a sighting of which only the place is believed."""
    followed = _follow_way(state, placed, dt, options)
    if options.smooth:
        return followed
    return replace(followed, way=math.exp(-log_size(placed)) * placed.translation)


def posed(state: Smoothed, placed: PlacedHand, model: HandModel) -> PlacedHand:
    """The hand of a state; what is not smoothed is that of a sighting of the same side."""
    fingers = state.rotations[1:]
    vertices, joints = _skinned(model, state.side, fingers, state.betas)
    if state.offset is not None:
        joints = joints + state.offset.joints
        vertices = vertices + state.offset.surface
    return replace(
        placed,
        hand=replace(
            placed.hand,
            hand_pose=log_so3(fingers),
            betas=state.betas,
            vertices=vertices,
            joints=joints,
        ),
        rotation=state.rotations[0],
        translation=state.translation,
        scale=math.exp(state.log_size - log_length(joints)),
        scale_source=state.scale_source,
    )


def _follow_way(
    state: Smoothed, placed: PlacedHand, dt: float, options: TrackerOptions
) -> Smoothed:
    length = math.exp(log_size(placed))
    difference = placed.translation - length * state.way
    rate = low_pass_rate(state.way_rate, difference, dt, options.d_cutoff)
    ray = state.way / math.sqrt(float(state.way @ state.way))
    along, speed_along = float(ray @ difference), float(ray @ rate)
    across = difference - along * ray
    speed_across = math.sqrt(max(float(rate @ rate) - speed_along**2, 0.0))
    least = 1 / (state.sightings + 1)
    speeds = np.array([speed_across, DEPTH_SHARE * abs(speed_along)])
    gain_across, gain_along = np.maximum(_gain(speeds, dt, options), least)
    move = gain_across * across + gain_along * along * ray
    return replace(
        state, way=state.way + move / length, way_rate=rate, sightings=state.sightings + 1
    )


def _gain(speed: np.ndarray, dt: float, options: TrackerOptions) -> np.ndarray:
    beyond_noise = np.maximum(speed - NOISE_SPEED, 0.0)
    return gain(beyond_noise, dt, options.min_cutoff, options.beta)


def _rotations(placed: PlacedHand) -> np.ndarray:
    return np.concatenate([placed.rotation[None], exp_so3(placed.hand.hand_pose)])


def _skinned(
    model: HandModel, side: Side, fingers: np.ndarray, betas: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (778, 3) and joints (21, 3) in the wrist frame; fingers (15, 3, 3) of that side."""
    rotations = np.concatenate([np.eye(3)[None], fingers])
    if side is Side.RIGHT:
        skinned = relative_to_wrist(forward(model, rotations, betas))
        return skinned.vertices, skinned.joints
    skinned = relative_to_wrist(forward(model, mirror_rotation(rotations), betas))
    return skinned.vertices * _MIRROR, skinned.joints * _MIRROR


def _offset(hand: Hand, model: HandModel) -> Offset | None:
    # Fingertips are vertices: where they are not, the joints are not the model's.
    if np.allclose(hand.joints[_TIP_JOINTS], hand.vertices[_TIP_VERTICES], rtol=0, atol=1e-6):
        return None
    vertices, joints = _skinned(model, hand.side, exp_so3(hand.hand_pose), hand.betas)
    return Offset(hand.joints - joints, (hand.vertices - vertices).mean(0))


def _mixed(old: Offset | None, new: Offset | None, share: float) -> Offset | None:
    if new is None and old is None:
        return None
    none = Offset(np.zeros((21, 3)), np.zeros(3))
    old, new = old or none, new or none
    return Offset(
        old.joints + share * (new.joints - old.joints),
        old.surface + share * (new.surface - old.surface),
    )
