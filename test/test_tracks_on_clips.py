"""The whole pipeline on scenes in which hands are easily lost: they keep their numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.records import Record
from bench.tracking_scenes import crossing, crossing_same_side, occlusion_both
from bench.tracks import broken_promises
from bench.tracks_run import play
from hamer_ros.hand_model.model import HandModel

MODEL = HandModel.default()


@pytest.mark.parametrize(
    "scene",
    [crossing(2), crossing_same_side(0), occlusion_both(MODEL, 0)],
    ids=lambda scene: scene.name,
)
def test_hands_keep_their_numbers_and_sides(models, scene):
    run = play(scene)
    assert run.switches == 0
    assert run.handedness_errors == 0
    assert run.invented == 0
    assert run.missed < 0.1 * run.visible
    # Every hand was lost for a while, or the scene would show nothing.
    lost = [np.array([s is None for s in run.matched(hand)]) for hand in range(2)]
    assert any(missing.any() for missing in lost)
    for hand in range(2):
        assert run.matched(hand)[-1] is not None


KEPT = {"id_switches": 0.0, "refound_frames/max": 9.0, "jitter_ratio": 6.0, "lag_frames": 0.1}


@pytest.mark.parametrize(
    ("figure", "value", "text"),
    [
        ("id_switches", 1.0, "1 hands were given another's number"),
        ("refound_frames/max", math.inf, "not found again"),
        ("jitter_ratio", 4.9, "only divided by 4.9"),
        ("lag_frames", 1.0, "1.00 frames behind"),
    ],
)
def test_figures_that_break_a_promise_are_told(figure, value, text):
    def told(figures: dict[str, float]) -> list[str]:
        return broken_promises([Record(f"tracks/{k}", v, "", "", 0.0) for k, v in figures.items()])

    assert told(KEPT) == []
    (broken,) = told({**KEPT, figure: value})
    assert text in broken
