"""The One-Euro filter on a hand: its translation, its rotation, its fingers and its shape.

Every part is smoothed where it lives, and the surface is skinned anew, so that a smoothed hand is
a hand of the model like any other: no bone shrinks, and `hand_pose` and `betas` give its joints.

translation
    The wrist in hand lengths, t / L.  That is what the pixels decide; L, the metric length of the
    hand, is known from elsewhere, and when it changes the hand grows and moves at once, as it
    must to stay where it is in the image.  The part along the ray and the part across it have
    speeds and cutoffs of their own.
rotation, fingers
    16 rotations, each with its own angular speed.
shape, length
    betas and log L do not move: a low-pass at `min_cutoff`.  L is adopted at once when something
    else fixes it, a depth image that begins for example.

An estimator's joints need not be those of its parameters (the ensemble averages them).  Where they
are not, the difference is a low-passed offset in the wrist frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from hamer_ros.geometry.rotations import exp_so3, log_so3, mirror_points, mirror_rotation
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hand_model.skinning import forward, relative_to_wrist
from hamer_ros.hand_model.topology import FINGERTIP_VERTICES
from hamer_ros.hands import Hand, Handedness, PlacedHand, ScaleSource
from hamer_ros.placement.size import log_length, log_size
from hamer_ros.tracking.one_euro import alpha, gain, low_pass_rate
from hamer_ros.tracking.options import TrackerOptions

DEPTH_SHARE = 0.2
"""Weight of the speed along the ray against the one across it: depth is the noisier one, four times
on the rendered clip and ten times in the solver's covariance of a flat hand."""
PALM_RADIUS = 0.06
"""Metres; a turn of the wrist counts as the speed of the palm's middle, this far from it."""
FINGER_RADIUS = 0.03
"""Metres; a turn of a finger's joint counts as the speed of the middle of what it moves."""

NOISE_SPEED = 0.03
"""Metres per second, counted as above: apparent speed of a still hand's noise.  Only what is faster
raises the cutoff.  A filter that trails by 1 mm at 30 frames a second sees this speed, so a real
motion is noticed hardly later."""

_RADII = np.array([PALM_RADIUS] + [FINGER_RADIUS] * 15)
_TIP_VERTICES = list(FINGERTIP_VERTICES.values())
_TIP_JOINTS = [4, 8, 12, 16, 20]


@dataclass(frozen=True)
class Offset:
    """The difference of an estimator's hand from the skinned one, metres in the wrist frame.

    joints: (21, 3).
    surface: (3,) mean over the vertices.
    """

    joints: np.ndarray
    surface: np.ndarray


@dataclass(frozen=True)
class Smoothed:
    """The state of a filter: x^ of `one_euro`, and the speeds.

    handedness: that of the hand that `rotations` and `offset` belong to.
    relative_translation: (3,) hand lengths.
    velocity: (3,) metres per second.
    log_size: logarithm of the hand's length in metres.
    scale_source: the source of that length.
    rotations: (16, 3, 3) wrist -> camera, then the finger joints.
    turn_rate: (16, 3) rad/s.
    betas: (10,).
    left_to_turn: (3,) rotation vector in the camera frame, from the smoothed rotation to the one
        measured last.
    measurements: how many there were.  No gain is less than one in so many: at first the filter is
        the mean of all of them, or the first one would be remembered for seconds.
    """

    handedness: Handedness
    relative_translation: np.ndarray
    velocity: np.ndarray
    log_size: float
    scale_source: ScaleSource
    rotations: np.ndarray
    turn_rate: np.ndarray
    betas: np.ndarray
    offset: Offset | None
    left_to_turn: np.ndarray
    measurements: int = 1

    @property
    def translation(self) -> np.ndarray:
        """The wrist (3,), metres in the camera frame."""
        return math.exp(self.log_size) * self.relative_translation


def begin(placed: PlacedHand, model: HandModel) -> Smoothed:
    """The state after a first measurement, which passes through."""
    size = log_size(placed)
    return Smoothed(
        handedness=placed.hand.handedness,
        relative_translation=math.exp(-size) * placed.translation,
        velocity=np.zeros(3),
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
    """The state after one more measurement, dt seconds after the last one.

    With smoothing off everything passes through, but for the speeds: when it is switched on again
    nothing jumps.
    """
    state = _follow_translation(state, placed, dt, options)
    rotations = _rotations(placed)
    difference = log_so3(rotations @ state.rotations.transpose(0, 2, 1))
    turn_rate = low_pass_rate(state.turn_rate, difference, dt, options.d_cutoff)
    offset = _offset(placed.hand, model)
    if not options.smoothing:
        return replace(
            state,
            log_size=log_size(placed),
            scale_source=placed.scale_source,
            relative_translation=math.exp(-log_size(placed)) * placed.translation,
            rotations=rotations,
            turn_rate=turn_rate,
            betas=placed.hand.betas,
            offset=offset,
            left_to_turn=np.zeros(3),
        )
    speed = np.sqrt((turn_rate**2).sum(1))
    least = 1 / state.measurements
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


def follow_translation(
    state: Smoothed, placed: PlacedHand, dt: float, options: TrackerOptions
) -> Smoothed:
    """The state after a measurement of which only the translation is believed."""
    followed = _follow_translation(state, placed, dt, options)
    if options.smoothing:
        return followed
    unfiltered = math.exp(-log_size(placed)) * placed.translation
    return replace(followed, relative_translation=unfiltered)


def posed(state: Smoothed, placed: PlacedHand, model: HandModel) -> PlacedHand:
    """The hand of a state; all that is not smoothed comes from a measurement.

    placed: the measurement, of the state's handedness.
    """
    fingers = state.rotations[1:]
    vertices, joints = _skinned(model, state.handedness, fingers, state.betas)
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


def _follow_translation(
    state: Smoothed, placed: PlacedHand, dt: float, options: TrackerOptions
) -> Smoothed:
    length = math.exp(log_size(placed))
    relative = state.relative_translation
    difference = placed.translation - length * relative
    velocity = low_pass_rate(state.velocity, difference, dt, options.d_cutoff)
    ray = relative / math.sqrt(float(relative @ relative))
    along, speed_along = float(ray @ difference), float(ray @ velocity)
    across = difference - along * ray
    speed_across = math.sqrt(max(float(velocity @ velocity) - speed_along**2, 0.0))
    least = 1 / (state.measurements + 1)
    speeds = np.array([speed_across, DEPTH_SHARE * abs(speed_along)])
    gain_across, gain_along = np.maximum(_gain(speeds, dt, options), least)
    move = gain_across * across + gain_along * along * ray
    return replace(
        state,
        relative_translation=relative + move / length,
        velocity=velocity,
        measurements=state.measurements + 1,
    )


def _gain(speed: np.ndarray, dt: float, options: TrackerOptions) -> np.ndarray:
    beyond_noise = np.maximum(speed - NOISE_SPEED, 0.0)
    return gain(beyond_noise, dt, options.min_cutoff, options.beta)


def _rotations(placed: PlacedHand) -> np.ndarray:
    return np.concatenate([placed.rotation[None], exp_so3(placed.hand.hand_pose)])


def _skinned(
    model: HandModel, handedness: Handedness, fingers: np.ndarray, betas: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The vertices (778, 3) and joints (21, 3) of a hand in the wrist frame, metres.

    fingers: (15, 3, 3) rotations of the hand itself, left or right.
    """
    rotations = np.concatenate([np.eye(3)[None], fingers])
    if handedness is Handedness.RIGHT:
        skinned = relative_to_wrist(forward(model, rotations, betas))
        return skinned.vertices, skinned.joints
    skinned = relative_to_wrist(forward(model, mirror_rotation(rotations), betas))
    return mirror_points(skinned.vertices), mirror_points(skinned.joints)


def _offset(hand: Hand, model: HandModel) -> Offset | None:
    # Fingertips are vertices: where they are not, the joints are not the model's.
    if np.allclose(hand.joints[_TIP_JOINTS], hand.vertices[_TIP_VERTICES], rtol=0, atol=1e-6):
        return None
    vertices, joints = _skinned(model, hand.handedness, exp_so3(hand.hand_pose), hand.betas)
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
