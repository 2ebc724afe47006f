"""Associate the hands of a frame with tracks, at the least total cost.

Cost
    With y the innovation (measured wrist minus predicted one) and S its covariance, the negative
    log likelihood that hand j is track i is

        c_ij = -log( (1 - o) N(y; 0, S) + o N(y; 0, S + (0.06 d)^2 I) )
               - log( e + (1 - 2 e) P(same handedness) )
               - log P(id)

    One image in fifty (o) is taken to be a bad one, whose wrist is off by 6 % of the distance d:
    that of a hand estimated with the wrong handedness, say.  P(same handedness) is
    p q + (1 - p)(1 - q) of the track's probability p of a right hand and the detection's q, which
    is wrong in e of all cases.  It counts under new ids only: under an old one q is what that id
    was before, which the id itself has said already.  A track that was seen in the last frame is
    expected under its id, one that was not as likely under a new one, and neither under another
    track's.  Being nobody's costs a hand -log(density of new hands), and not being seen costs a
    track -log(probability of a miss).  The assignment with the least sum is found exactly.

Size
    Where a track's last hand and this one have their sizes from different sources, a depth image
    that begins or ends for example, y compares wrists at the track's size: what an image shows
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
"""Standard deviation of such a position, as a share of its distance."""
HANDEDNESS_ERROR = 0.02
"""e: share of hands whose handedness a detector gets wrong against all its earlier votes."""
ID_CHANGE = 0.05
"""Share of images in which a detector gives a hand that it follows another id."""
NEW_HAND = 0.02
"""Hands that appear, per frame and cubic metre."""
MISS = 0.05
"""Probability that a detector does not see a hand that is there."""
DEPTH_JITTER = 0.02
"""Standard deviation of a hand's distance from image to image, as a share of it; the rest of the
placement's variance along the ray is the hand's size, off in every image alike."""
LEAST_NOISE = 1e-4
"""Metres; no wrist is measured more finely than this."""

_ALONE = 1e9
"""Cost of a pair that is not considered."""


@dataclass(frozen=True)
class KnownSize:
    """The length of a hand in metres, and its source."""

    length: float
    source: ScaleSource


def known_size(placed: PlacedHand) -> KnownSize:
    """The size of a hand as it was placed."""
    return KnownSize(math.exp(log_size(placed)), placed.scale_source)


def growth(before: KnownSize, after: KnownSize) -> float:
    """The ratio of two lengths of the same hand: 1 unless their sources differ."""
    return 1.0 if before.source is after.source else after.length / before.length


@dataclass(frozen=True)
class Expected:
    """The hand that a track expects in a frame.

    position: (3,) metres.
    covariance: (3, 3) of the position.
    right: probability of a right hand.
    detection_id: the id under which it was seen last.
    seen: True if that was in the last frame.
    size: that of the hand as it was seen last.
    """

    position: np.ndarray
    covariance: np.ndarray
    right: float
    detection_id: int
    seen: bool
    size: KnownSize


@dataclass(frozen=True)
class Measurement:
    """The measurement of one hand in a frame.

    position: (3,) metres.
    noise: (3, 3) covariance of the position.
    right: probability of a right hand.
    """

    position: np.ndarray
    noise: np.ndarray
    right: float
    detection_id: int
    size: KnownSize


def measurement_noise(placed: PlacedHand) -> np.ndarray:
    """The part (3, 3) of the placement's covariance that changes from image to image.

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


def associate(tracks: Sequence[Expected], hands: Sequence[Measurement]) -> list[int | None]:
    """The index of each hand's track, or None for a new hand."""
    if not tracks or not hands:
        return [None] * len(hands)
    together = _costs(tracks, hands) + math.log(MISS)
    old = _own_id(tracks, hands).any(0)
    alone = -math.log(NEW_HAND) - np.where(old, math.log(ID_CHANGE), 0.0)
    # One more column a hand, in which only it can be nobody's.
    nobody = np.full((len(hands), len(hands)), _ALONE)
    np.fill_diagonal(nobody, alone)
    columns = assign(np.concatenate([together.T, nobody], axis=1))
    return [column if column < len(tracks) else None for column in columns]


def _costs(tracks: Sequence[Expected], hands: Sequence[Measurement]) -> np.ndarray:
    """The negative log likelihoods (T, H); `_ALONE` outside of the gate."""
    measured = np.stack([hand.position for hand in hands])
    predicted = np.stack([track.position for track in tracks])
    # A hand of another size would be so many times as far away.
    grown = np.array([[growth(track.size, hand.size) for hand in hands] for track in tracks])
    innovation = measured[None] / grown[..., None] - predicted[:, None]
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
    handedness = np.log(HANDEDNESS_ERROR + (1 - 2 * HANDEDNESS_ERROR) * agree)
    own = _own_id(tracks, hands)
    old = own.any(0)
    handedness[:, old] = 0.0
    seen = np.array([track.seen for track in tracks])[:, None]
    expected = np.where(own, 1 - ID_CHANGE, ID_CHANGE)
    lost = np.where(old & ~own, ID_CHANGE, 0.5)
    cost = -(place + handedness + np.log(np.where(seen, expected, lost)))
    inside = np.isfinite(cost) & (distance[1] <= GATE)
    return np.where(inside, cost, _ALONE)


def _gaussian(innovation: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The squared Mahalanobis distance and the log density of (..., 3) under N(0, (..., 3, 3))."""
    distance = ((np.linalg.inv(covariance) @ innovation[..., None])[..., 0] * innovation).sum(-1)
    volume = np.linalg.slogdet(2 * math.pi * covariance)[1]
    return distance, -0.5 * (distance + volume)


def _own_id(tracks: Sequence[Expected], hands: Sequence[Measurement]) -> np.ndarray:
    """The pairs (T, H) in which the track was last seen under the hand's detection id, as bool."""
    detection_ids = np.array([hand.detection_id for hand in hands])
    return np.array([track.detection_id for track in tracks])[:, None] == detection_ids[None]


def assign(cost: np.ndarray) -> list[int]:
    """The column of each row so that the sum of costs is least; no column is given twice.

    cost: (R, C), finite, with R <= C.

    Shortest augmenting paths with potentials (Kuhn 1955, Munkres 1957; in the form of Jonker and
    Volgenant 1987).
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
