"""Labels that would cover each other are moved apart."""

from __future__ import annotations

from itertools import pairwise

from hamer_ros.rendering.labels import raised


def test_a_label_stays_where_there_is_room():
    assert raised((10, 50, 90, 70), []) == (10, 50, 90, 70)
    assert raised((10, 50, 90, 70), [(10, 70, 90, 90), (90, 50, 170, 70)]) == (10, 50, 90, 70)


def test_labels_of_one_place_are_stacked():
    taken: list[tuple[int, int, int, int]] = []
    for _ in range(3):
        taken.append(raised((10, 100, 90, 120), taken))
    for lower, upper in pairwise(taken):
        assert upper[3] <= lower[1]


def test_a_label_at_the_top_stays_in_the_image():
    assert raised((0, 3, 40, 20), [(0, 0, 40, 30)])[1] >= 0
