"""Measures of tracks: identity switches, fragmentations, jitter and lag.

Identity is counted as in CLEAR MOT (Bernardin and Stiefelhagen, "Evaluating multiple object
tracking performance", 2008): in every frame a pair of true and tracked hand that is still valid
stays, the others are matched at the least total distance, and a switch is a true hand whose match
has another id than its last one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

GATE = 0.4
"""Mean distance of the joints in the image, in sizes of the true hand, up to which they match."""


def distances(tracked: Sequence[np.ndarray], truth: Sequence[np.ndarray]) -> np.ndarray:
    """Return the mean distance of the joints in sizes of the true hand, (tracked, truth).

    tracked, truth: of each hand its (21, 2) joints in the image, pixels.
    """
    return np.array(
        [
            [np.linalg.norm(a - b, axis=1).mean() / np.ptp(b, axis=0).max() for b in truth]
            for a in tracked
        ]
    ).reshape(len(tracked), len(truth))


def best_pairs(cost: np.ndarray, gate: float) -> list[tuple[int, int]]:
    """Return pairs of rows and columns with cost at most ``gate``: most pairs first, then cheapest.

    cost: (N, M).

    All permutations are tried, which a handful of hands allows.
    """
    n, m = cost.shape
    if n > m:
        return sorted((i, j) for j, i in best_pairs(cost.T, gate))
    best: tuple[tuple[int, float], list[tuple[int, int]]] = ((0, 0.0), [])
    for columns in itertools.permutations(range(m), n):
        pairs = [(i, j) for i, j in enumerate(columns) if cost[i, j] <= gate]
        rank = (-len(pairs), float(sum(cost[pair] for pair in pairs)))
        best = min(best, (rank, pairs))
    return best[1]


def match_tracks(
    ids: Sequence[Sequence[int]], costs: Sequence[np.ndarray], gate: float = GATE
) -> list[dict[int, int]]:
    """Return for each frame: index of the true hand -> index of the tracked one.

    ids: of each frame the ids of its tracked hands.
    costs: of each frame the distances (tracked, truth).
    """
    frames: list[dict[int, int]] = []
    last: dict[int, int] = {}
    for numbers, cost in zip(ids, costs, strict=True):
        kept = {
            j: numbers.index(number)
            for j, number in last.items()
            if number in numbers and cost[numbers.index(number), j] <= gate
        }
        rows = [i for i in range(cost.shape[0]) if i not in kept.values()]
        columns = [j for j in range(cost.shape[1]) if j not in kept]
        new = {columns[j]: rows[i] for i, j in best_pairs(cost[np.ix_(rows, columns)], gate)}
        frames.append(kept | new)
        last = {j: numbers[i] for j, i in frames[-1].items()}
    return frames


def id_switches(ids: Sequence[int | None]) -> int:
    """Return how often a true hand has another id than when it was last matched.

    ids: of each frame the id that it is matched with, None where there is none.
    """
    known_ids = [number for number in ids if number is not None]
    return sum(a != b for a, b in itertools.pairwise(known_ids))


def fragmentations(ids: Sequence[int | None]) -> int:
    """Return how often a true hand is matched again after it was not."""
    known = [number is not None for number in ids]
    first = known.index(True) if any(known) else len(known)
    return sum(b and not a for a, b in itertools.pairwise(known[first:]))


def jitter(positions: np.ndarray) -> float:
    """Return the standard deviation of points about their means, rms over points and axes.

    positions: (T, N, 3) of N points that do not move.
    """
    return float(np.sqrt(((positions - positions.mean(axis=0)) ** 2).mean()))


def lag(positions: np.ndarray, reference: np.ndarray, velocity: np.ndarray) -> float:
    """Return by how many frames a series lags behind a reference, by least squares.

    A series that is late by d is x_t = r_t - d v_t where the velocity is constant.  It is allowed
    to be off by an offset and a scale as well, neither of which is a delay:
    x_t = r_t - d v_t + a + b r_t.

    positions, reference: (T,) along the direction of motion.
    velocity: (T,) of the reference per frame; instants near a turning point are to be left out
        beforehand, but motion both ways must be there to tell a delay from an offset.

    Raises:
        ValueError: the velocity does not change its sign.
    """
    if velocity.size == 0 or velocity.min() >= 0 or velocity.max() <= 0:
        raise ValueError("a lag needs motion to and fro")
    unknowns = np.column_stack([-velocity, np.ones_like(velocity), reference])
    solution = np.linalg.lstsq(unknowns, positions - reference, rcond=None)[0]
    return float(solution[0])


def velocities(positions: np.ndarray) -> np.ndarray:
    """Return (T,) the change of positions (T,) per frame; the first is the second's."""
    steps = np.diff(positions)
    return np.concatenate([steps[:1], steps])


def steady(velocity: np.ndarray, settling: int) -> np.ndarray:
    """Return (T,) flags of the instants in steady motion.

    velocity: (T,) per frame; a turning point is a change of its sign.
    settling: frames that a smoothed series needs after a turning point, and after the beginning,
        until its delay is constant.

    The last frame before a turning point is left out as well: the turn may lie between two frames.
    """
    signs = np.sign(velocity)
    turns = np.concatenate([[0], np.flatnonzero(signs[1:] != signs[:-1]) + 1])
    frames = np.arange(len(velocity))
    since = frames - turns[np.searchsorted(turns, frames, side="right") - 1]
    return (since >= settling) & ~np.isin(frames + 1, turns)


def frames_until(flags: Sequence[bool], start: int) -> float:
    """Return how many frames after ``start`` the first true flag comes; infinite without one."""
    return next((float(k) for k, flag in enumerate(flags[start:]) if flag), math.inf)
