"""The chart of the errors of every frame over time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hamer_ros.demo.accuracy import FrameErrors
from hamer_ros.demo.axes import Axes, draw_dot, round_up
from hamer_ros.demo.drawing import HAND_COLORS, MUTED, TEXT, canvas, put_swatch, put_text
from hamer_ros.demo.report import MEAN_PA_LIMIT, PA_LIMIT
from hamer_ros.hands import Handedness

_WIDTH, _HEIGHT = 1100, 680
_LEFT, _RIGHT, _TOP, _GAP, _BOTTOM = 76, 24, 76, 78, 56
_PANEL_HEIGHT = (_HEIGHT - _TOP - _GAP - _BOTTOM) // 2


def error_chart(errors: Mapping[int, FrameErrors], rate: float) -> np.ndarray:
    """Return a chart (680, 1100, 3) uint8 RGB of PA-MPJPE and MPJPE of each hand over time.

    errors: of each processed frame, by its index.
    rate: frames per second.
    """
    out = canvas(_WIDTH, _HEIGHT)
    x_max = max(max(errors, default=0) / rate, 1.0 / rate)
    pa = _series(errors, rate, "pa_mpjpe")
    camera, before = _series(errors, rate, "mpjpe"), _series(errors, rate, "mpjpe_before")
    put_text(out, "Error of the 21 joints against the truth", (_LEFT, 26), 0.62)
    u = _WIDTH - _RIGHT - 212
    for handedness in (Handedness.LEFT, Handedness.RIGHT):
        u = (
            put_swatch(out, f"{handedness.name.lower()} hand", (u, 26), HAND_COLORS[handedness])
            + 24
        )
    top = _axes(_TOP, x_max, max(1.1 * PA_LIMIT, _largest(pa)))
    _panel(out, top, "PA-MPJPE, mm: the pose alone, after the best similarity", pa)
    for limit, text in ((PA_LIMIT, "limit of each"), (MEAN_PA_LIMIT, "limit of the mean")):
        top.limit(out, limit, text)
    largest = max(20.0, _largest(camera), _largest(before))
    bottom = _axes(_TOP + _PANEL_HEIGHT + _GAP, x_max, largest)
    title = "MPJPE, mm: in the camera's frame; thin lines: had HaMeR's formula placed the hand"
    _panel(out, bottom, title, camera, before)
    put_text(out, "seconds", (_WIDTH - _RIGHT, _HEIGHT - 16), 0.42, MUTED, align=1.0)
    return out


_Series = dict[Handedness, list[tuple[float, float]]]


def _series(errors: Mapping[int, FrameErrors], rate: float, field: str) -> _Series:
    """Return handedness -> (seconds, millimetres) of each frame in which that hand was found."""
    out: _Series = {Handedness.LEFT: [], Handedness.RIGHT: []}
    for index in sorted(errors):
        for error in errors[index].found:
            out[error.handedness].append((index / rate, getattr(error, field)))
    return out


def _largest(series: _Series) -> float:
    return 1.05 * max((y for points in series.values() for _, y in points), default=0.0)


def _axes(top: int, x_max: float, largest: float) -> Axes:
    """Return the axes of a panel; x in seconds, y in millimetres."""
    return Axes(_LEFT, top, _WIDTH - _LEFT - _RIGHT, _PANEL_HEIGHT, x_max, round_up(largest))


def _panel(
    out: np.ndarray, axes: Axes, title: str, series: _Series, thin: _Series | None = None
) -> None:
    axes.draw(out, title)
    for handedness, points in (thin or {}).items():
        axes.curve(out, points, HAND_COLORS[handedness], 1)
    for handedness, points in series.items():
        axes.curve(out, points, HAND_COLORS[handedness])
        for x, y in points:
            draw_dot(out, axes.to_pixels(x, y), HAND_COLORS[handedness])
    means = "     ".join(
        f"{handedness.name.lower()}: mean {np.mean([y for _, y in points]):.1f}"
        for handedness, points in series.items()
        if points
    )
    put_text(out, means, (_WIDTH - _RIGHT, axes.top - 16), 0.45, TEXT, align=1.0)
