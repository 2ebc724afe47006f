"""Which hand of this frame is which track.

Cost
    With y the innovation (sighted wrist minus predicted one) and S its covariance, the negative
    log likelihood that hand j is track i is

        c_ij = -log( (1 - o) N(y; 0, S) + o N(y; 0, S + (0.06 d)^2 I) )
               - log( e + (1 - 2 e) P(same side) )
               - log P(region)

    One image in fifty (o) is taken to be a bad one, whose wrist is off by 6 % of the distance d:
    that of a hand recovered with the wrong side, say.  P(same side) = p q + (1 - p)(1 - q) of the
    track's probability p of a right hand and the detection's q, which is wrong in e of all cases.
    It counts under new regions only: under an old one q is what that region was before, which its
    number has said already.  A track that was seen in the last frame is expected under its region,
    one that was not as likely under a new one, and neither under another track's.  Being nobody's
    costs a hand -log(density of new hands), and not being seen costs a track -log(probability of a
    miss).  The assignment with the least sum is found exactly.

Size
    Where a track's last hand and this one have their sizes from different sources, a depth image
    that begins or ends for example, y compares wrists as of the track's size: what an image shows
    stays the same when a hand and its distance grow together.

Gate
    Pairs with y^T (S + (0.06 d)^2 I)^-1 y beyond 99.9 % of chi^2 with 3 degrees of freedom are not
    considered.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hamer_ros.hands import PlacedHand, ScaleSource
from hamer_ros.placement.size import log_size

GATE = 16.266
"""99.9 % of chi^2 with 3 degrees of freedom."""
BAD_SHARE = 0.02
"""o: share of images that place a hand badly."""
BAD_SPREAD = 0.06
"""Standard deviation of such a place, as a share of its distance."""
SIDE_ERROR = 0.02
"""e: share of hands that a detector takes for the other side against all its earlier votes."""
REGION_ERROR = 0.05
"""Share of images in which a detector calls a hand that it follows by another region's number."""
NEW_HAND = 0.02
"""Hands that appear, per frame and cubic metre."""
MISS = 0.05
"""Probability that a detector does not see a hand that is there."""
DEPTH_JITTER = 0.02
"""Standard deviation of a hand's distance from image to image, as a share of it; the rest of the
placement's variance along the ray is the hand's size, off in every image alike."""
LEAST_NOISE = 1e-4
"""Metres; no wrist is sighted more finely than this."""

_ALONE = 1e9


@dataclass(frozen=True)
class KnownSize:
    """The length of a hand in metres, and what fixed it."""

    length: float
    source: ScaleSource


def known_size(placed: PlacedHand) -> KnownSize:
    """The size of a hand as it was placed."""
    return KnownSize(math.exp(log_size(placed)), placed.scale_source)


def growth(before: KnownSize, after: KnownSize) -> float:
    """How many times longer the same hand is taken to be: 1 unless its size is known otherwise."""
    return 1.0 if before.source is after.source else after.length / before.length


@dataclass(frozen=True)
class Expected:
    """What a track expects to see.

    position: (3,) metres, and covariance: (3, 3) of it.
    right: probability of a right hand.
    region: under which it was seen last.
    seen: whether that was in the last frame.
    size: of the hand, as it was seen last.
    """

    position: np.ndarray
    covariance: np.ndarray
    right: float
    region: int
    seen: bool
    size: KnownSize


@dataclass(frozen=True)
class Sighting:
    """What a frame shows of one hand: position (3,), its noise (3, 3), P(right), region, size."""

    position: np.ndarray
    noise: np.ndarray
    right: float
    region: int
    size: KnownSize


def sighting_noise(placed: PlacedHand) -> np.ndarray:
    """(3, 3) the part of the placement's covariance that changes from image to image.

    With the ray r and the part S of C that errors in every image alike:
    (I - r r^T) (C - S) (I - r r^T) + min(r^T C r, (DEPTH_JITTER d)^2) r r^T.
    """
    covariance = placed.covariance[:3, :3]
    changing = covariance - placed.shared[:3, :3]
    distance = math.sqrt(float(placed.translation @ placed.translation))
    ray = placed.translation / distance
    across = np.eye(3) - np.outer(ray, ray)
    along = min(float(ray @ covariance @ ray), (DEPTH_JITTER * distance) ** 2)
    noise = across @ changing @ across + along * np.outer(ray, ray)
    return 0.5 * (noise + noise.T) + LEAST_NOISE**2 * np.eye(3)


def associate(tracks: Sequence[Expected], hands: Sequence[Sighting]) -> list[int | None]:
    """For each hand the index of its track, or None for a new one."""
    if not tracks or not hands:
        return [None] * len(hands)
    together = _costs(tracks, hands) + math.log(MISS)
    old = _own_region(tracks, hands).any(0)
    alone = -math.log(NEW_HAND) - np.where(old, math.log(REGION_ERROR), 0.0)
    # One more column a hand, in which only it can be nobody's.
    nobody = np.full((len(hands), len(hands)), _ALONE)
    np.fill_diagonal(nobody, alone)
    columns = assign(np.concatenate([together.T, nobody], axis=1))
    return [column if column < len(tracks) else None for column in columns]


def _costs(tracks: Sequence[Expected], hands: Sequence[Sighting]) -> np.ndarray:
    """(T, H) negative log likelihoods; `_ALONE` outside of the gate."""
    where = np.stack([hand.position for hand in hands])
    predicted = np.stack([track.position for track in tracks])
    # A hand of another size would be so many times as far away.
    grown = np.array([[growth(track.size, hand.size) for hand in hands] for track in tracks])
    innovation = where[None] / grown[..., None] - predicted[:, None]
    noise = np.stack([hand.noise for hand in hands])[None] / grown[..., None, None] ** 2
    narrow = np.stack([track.covariance for track in tracks])[:, None] + noise
    spread = BAD_SPREAD**2 * (predicted**2).sum(1)
    wide = narrow + spread[:, None, None, None] * np.eye(3)
    distance, likelihood = _gaussian(innovation, np.stack([narrow, wide]))
    place = np.logaddexp(
        math.log(1 - BAD_SHARE) + likelihood[0], math.log(BAD_SHARE) + likelihood[1]
    )
    track_right = np.array([track.right for track in tracks])[:, None]
    hand_right = np.array([hand.right for hand in hands])[None]
    agree = track_right * hand_right + (1 - track_right) * (1 - hand_right)
    side = np.log(SIDE_ERROR + (1 - 2 * SIDE_ERROR) * agree)
    own = _own_region(tracks, hands)
    old = own.any(0)
    side[:, old] = 0.0
    seen = np.array([track.seen for track in tracks])[:, None]
    expected = np.where(own, 1 - REGION_ERROR, REGION_ERROR)
    lost = np.where(old & ~own, REGION_ERROR, 0.5)
    cost = -(place + side + np.log(np.where(seen, expected, lost)))
    inside = np.isfinite(cost) & (distance[1] <= GATE)
    return np.where(inside, cost, _ALONE)


def _gaussian(innovation: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared Mahalanobis distance and log density of (..., 3) under N(0, (..., 3, 3))."""
    distance = ((np.linalg.inv(covariance) @ innovation[..., None])[..., 0] * innovation).sum(-1)
    volume = np.linalg.slogdet(2 * math.pi * covariance)[1]
    return distance, -0.5 * (distance + volume)


def _own_region(tracks: Sequence[Expected], hands: Sequence[Sighting]) -> np.ndarray:
    """(T, H) whether a hand's region is the one that a track was seen under last."""
    regions = np.array([hand.region for hand in hands])
    return np.array([track.region for track in tracks])[:, None] == regions[None]


def assign(cost: np.ndarray) -> list[int]:
    """The column of each row so that the sum of costs is least; no column is given twice.

    cost: (R, C), finite, with R <= C.  Shortest augmenting paths with potentials (Kuhn 1955,
    Munkres 1957; in the form of Jonker and Volgenant 1987).
    """
    rows, columns = cost.shape
    row_price, column_price = np.zeros(rows), np.zeros(columns)
    owner = np.full(columns, -1)
    for start in range(rows):
        least, came_from = np.full(columns, np.inf), np.full(columns, -1)
        done = np.zeros(columns, bool)
        row, last = start, -1
        while row >= 0:
            reduced = cost[row] - row_price[row] - column_price
            shorter = ~done & (reduced < least)
            least[shorter], came_from[shorter] = reduced[shorter], last
            nearest = int(np.argmin(np.where(done, np.inf, least)))
            step = least[nearest]
            row_price[start] += step
            row_price[owner[done]] += step
            column_price[done] -= step
            least[~done] -= step
            done[nearest] = True
            row, last = int(owner[nearest]), nearest
        while last >= 0:
            before = int(came_from[last])
            owner[last] = start if before < 0 else owner[before]
            last = before
    column_of = np.full(rows, -1)
    column_of[owner[owner >= 0]] = np.flatnonzero(owner >= 0)
    return [int(column) for column in column_of]
