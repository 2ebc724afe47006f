"""Whatever comes in, what goes out is finite and in order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from helpers import CAMERA, MODEL, placed_at
from hypothesis import given, settings
from hypothesis import strategies as st

from hamer_ros.geometry.rotations import exp_so3
from hamer_ros.hands import Frame, Handedness, PlacedHand, ScaleSource, TrackedHand, TrackState
from hamer_ros.tracking import Tracker, TrackerOptions

BLACK = np.zeros((480, 640, 3), np.uint8)
BASES = {handedness: placed_at(handedness=handedness) for handedness in Handedness}

NEXT = {
    None: {TrackState.NEW},
    TrackState.NEW: {TrackState.TRACKED, TrackState.COASTED, TrackState.LOST},
    TrackState.TRACKED: {TrackState.TRACKED, TrackState.COASTED, TrackState.LOST},
    TrackState.COASTED: {TrackState.TRACKED, TrackState.COASTED, TrackState.LOST},
    TrackState.LOST: set(),
}
"""NEW TRACKED* (COASTED* TRACKED*)* LOST"""


@st.composite
def placed_hands(draw: st.DrawFn) -> PlacedHand:
    """Hands up to 100 m away before the camera, near misses of one place being likely."""
    base = BASES[draw(st.sampled_from(list(Handedness)))]
    near = draw(st.booleans())
    sideways = st.floats(-0.1, 0.1) if near else st.floats(-100, 100)
    depth = st.floats(0.3, 0.8) if near else st.floats(1e-3, 100)
    translation = np.array([draw(sideways), draw(sideways), draw(depth)])
    turn = np.array([draw(st.floats(-4, 4)) for _ in range(3)])
    detection = replace(
        base.hand.detection,
        detection_id=draw(st.integers(1, 4)),
        handedness_score=draw(st.floats(0.5, 1.0)),
    )
    hand = replace(
        base.hand,
        detection=detection,
        hand_pose=base.hand.hand_pose * draw(st.floats(-20, 20)),
        betas=base.hand.betas * draw(st.floats(-20, 20)),
        keypoints=base.hand.keypoints + draw(st.floats(-1e6, 1e6)),
    )
    spread = np.array([draw(st.floats(1e-4, 10.0)) for _ in range(6)])
    return replace(
        base,
        hand=hand,
        rotation=exp_so3(turn),
        translation=translation,
        covariance=np.diag(spread**2),
        scale=draw(st.floats(1e-3, 1e3)),
        scale_source=draw(st.sampled_from(list(ScaleSource))),
        reprojection_rms=draw(st.floats(0, 1e6)),
    )


@st.composite
def options(draw: st.DrawFn) -> TrackerOptions:
    return TrackerOptions(
        smoothing=draw(st.booleans()),
        min_cutoff=draw(st.floats(1e-6, 1e6)),
        beta=draw(st.floats(0, 1e6)),
        d_cutoff=draw(st.floats(1e-6, 1e6)),
        coast_time=draw(st.floats(0, 100)),
    )


steps = st.one_of(st.just(0.0), st.floats(1e-9, 0.1), st.floats(0.1, 1e6))
frames = st.lists(
    st.tuples(steps, st.lists(placed_hands(), max_size=3), options()), min_size=1, max_size=8
)


@given(frames)
@settings(max_examples=150, deadline=None)
def test_any_sequence_of_hands_gives_tracks_in_order(frames):
    tracker = Tracker(MODEL)
    states: dict[int, TrackState] = {}
    stamp = 1.7e9
    for step, placed, chosen in frames:
        stamp += step
        tracker.options = chosen
        tracked = tracker.track(Frame(BLACK, stamp, CAMERA), placed)
        assert len({t.track_id for t in tracked}) == len(tracked)
        assert [t.raw for t in tracked if t.raw is not None] == placed
        alive = {number for number, state in states.items() if state is not TrackState.LOST}
        assert alive <= {t.track_id for t in tracked}
        for t in tracked:
            assert t.state in NEXT[states.get(t.track_id)]
            assert (t.raw is None) == (t.state in (TrackState.COASTED, TrackState.LOST))
            states[t.track_id] = t.state
            check(t)


def check(tracked: TrackedHand) -> None:
    placed, hand = tracked.placed, tracked.placed.hand
    for numbers in (
        placed.translation,
        placed.scale,
        placed.reprojection_rms,
        placed.vertices,
        placed.joints,
        hand.keypoints,
        hand.keypoint_scores,
        hand.hand_pose,
        hand.betas,
        hand.detection.bounding_box,
        hand.detection.handedness_score,
    ):
        assert np.isfinite(numbers).all()
    np.testing.assert_allclose(placed.rotation @ placed.rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(placed.rotation) > 0
    np.testing.assert_array_equal(placed.covariance, placed.covariance.T)
    assert (np.linalg.eigvalsh(placed.covariance) > 0).all()
    assert 0.5 <= hand.detection.handedness_score <= 1
