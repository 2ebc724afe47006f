"""The errors of every frame as a chart, drawn with OpenCV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from hamer_ros.demo.accuracy import FrameErrors
from hamer_ros.demo.drawing import (
    LINE,
    MUTED,
    PANEL,
    SIDE,
    TEXT,
    WARNING,
    canvas,
    put_swatch,
    put_text,
)
from hamer_ros.demo.report import MEAN_PA_LIMIT, PA_LIMIT
from hamer_ros.hands import Side

_WIDTH, _HEIGHT = 1100, 680
_LEFT, _RIGHT, _TOP, _GAP, _BOTTOM = 76, 24, 76, 78, 56
_PANEL_HEIGHT = (_HEIGHT - _TOP - _GAP - _BOTTOM) // 2
_SHIFT = 4
"""OpenCV draws lines at 1 / 2^_SHIFT of a pixel."""


@dataclass(frozen=True)
class _Axes:
    """A panel: its top in pixels, and the largest x (seconds) and y (millimetres) in it."""

    top: int
    x_max: float
    y_max: float

    def place(self, x: float, y: float) -> tuple[float, float]:
        width = _WIDTH - _LEFT - _RIGHT
        v = self.top + _PANEL_HEIGHT * (1 - y / self.y_max)
        return _LEFT + width * x / self.x_max, v


def error_chart(errors: Mapping[int, FrameErrors], rate: float) -> np.ndarray:
    """Draw PA-MPJPE and the error in the camera's frame of each hand over time.

    errors: of each processed frame under its number.  rate: frames per second.
    Returns (680, 1100, 3) uint8 RGB.
    """
    out = canvas(_WIDTH, _HEIGHT)
    x_max = max(max(errors, default=0) / rate, 1.0 / rate)
    pa = _series(errors, rate, "pa_mpjpe")
    camera, before = _series(errors, rate, "mpjpe"), _series(errors, rate, "mpjpe_before")
    put_text(out, "Error of the 21 joints against the truth", (_LEFT, 26), 0.62)
    u = _WIDTH - _RIGHT - 212
    for side in (Side.LEFT, Side.RIGHT):
        u = put_swatch(out, f"{side.name.lower()} hand", (u, 26), SIDE[side]) + 24
    top = _Axes(_TOP, x_max, _nice(max(1.1 * PA_LIMIT, _largest(pa))))
    _panel(out, top, "PA-MPJPE, mm: the pose alone, after the best similarity", pa)
    for limit, text in ((PA_LIMIT, "limit of each"), (MEAN_PA_LIMIT, "limit of the mean")):
        _dashed(out, top.place(0, limit), top.place(x_max, limit))
        right, v = top.place(x_max, limit)
        put_text(out, text, (right - 6, v - 9), 0.38, WARNING, align=1.0)
    bottom = _Axes(
        _TOP + _PANEL_HEIGHT + _GAP, x_max, _nice(max(20.0, _largest(camera), _largest(before)))
    )
    title = "MPJPE, mm: in the camera's frame; thin lines: had HaMeR's formula placed the hand"
    _panel(out, bottom, title, camera, before)
    put_text(out, "seconds", (_WIDTH - _RIGHT, _HEIGHT - 16), 0.42, MUTED, align=1.0)
    return out


_Series = dict[Side, list[tuple[float, float]]]


def _series(errors: Mapping[int, FrameErrors], rate: float, field: str) -> _Series:
    """Side -> (seconds, millimetres) of each frame in which that hand was found."""
    out: _Series = {Side.LEFT: [], Side.RIGHT: []}
    for index in sorted(errors):
        for error in errors[index].found:
            out[error.side].append((index / rate, getattr(error, field)))
    return out


def _largest(series: _Series) -> float:
    return 1.05 * max((y for points in series.values() for _, y in points), default=0.0)


def _nice(value: float) -> float:
    """The next larger multiple of a round step."""
    step = _step(value)
    return step * float(np.ceil(value / step))


def _step(value: float) -> float:
    """A round number of which about five fit into the value."""
    unit = 10.0 ** np.floor(np.log10(value / 5))
    return float(min((unit, 2 * unit, 5 * unit, 10 * unit), key=lambda s: abs(s - value / 5)))


def _panel(
    out: np.ndarray, axes: _Axes, title: str, series: _Series, thin: _Series | None = None
) -> None:
    corners = axes.place(0, axes.y_max), axes.place(axes.x_max, 0)
    cv2.rectangle(out, _fixed(corners[0]), _fixed(corners[1]), PANEL, -1, cv2.LINE_8, _SHIFT)
    put_text(out, title, (_LEFT, axes.top - 16), 0.45, MUTED)
    for y in np.arange(0, axes.y_max + 1e-9, _step(axes.y_max)):
        _line(out, [axes.place(0, y), axes.place(axes.x_max, y)], LINE, 1)
        put_text(out, f"{y:g}", (_LEFT - 10, axes.place(0, y)[1]), 0.42, MUTED, align=1.0)
    for x in np.arange(0, axes.x_max + 1e-9, _step(axes.x_max)):
        u, v = axes.place(x, 0)
        _line(out, [(u, v), (u, v + 5)], LINE, 1)
        put_text(out, f"{x:g}", (u, v + 16), 0.42, MUTED, align=0.5)
    for side, points in (thin or {}).items():
        if points:
            _line(out, [axes.place(x, min(y, axes.y_max)) for x, y in points], SIDE[side], 1)
    for side, points in series.items():
        if not points:
            continue
        places = [axes.place(x, min(y, axes.y_max)) for x, y in points]
        _line(out, places, SIDE[side], 2)
        for place in places:
            cv2.circle(
                out, _fixed(place), 5 * 2 ** (_SHIFT - 1), SIDE[side], -1, cv2.LINE_AA, _SHIFT
            )
    means = "     ".join(
        f"{side.name.lower()}: mean {np.mean([y for _, y in points]):.1f}"
        for side, points in series.items()
        if points
    )
    put_text(out, means, (_WIDTH - _RIGHT, axes.top - 16), 0.45, TEXT, align=1.0)


def _dashed(out: np.ndarray, start: tuple[float, float], end: tuple[float, float]) -> None:
    for u in np.arange(start[0], end[0], 12.0):
        _line(out, [(u, start[1]), (min(u + 6, end[0]), end[1])], WARNING, 1)


def _line(
    out: np.ndarray,
    places: Sequence[tuple[float, float]],
    color: tuple[int, int, int],
    thickness: int,
) -> None:
    points = np.array([_fixed(place) for place in places], np.int32)
    cv2.polylines(out, [points], False, color, thickness, cv2.LINE_AA, _SHIFT)


def _fixed(place: tuple[float, float]) -> tuple[int, int]:
    return round(place[0] * 2**_SHIFT), round(place[1] * 2**_SHIFT)
