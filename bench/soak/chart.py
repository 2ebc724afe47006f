"""The chart of a soak: memory, held resources, latency and busy cores over time."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from bench.soak.report import CORES_LIMIT, Soak
from hamer_ros.demo.axes import Axes, draw_line, round_up
from hamer_ros.demo.drawing import (
    HAND_COLORS,
    LINE,
    MUTED,
    TEXT,
    Color,
    canvas,
    put_swatch,
    put_text,
    text_size,
)
from hamer_ros.hands import Handedness

_WIDTH, _HEIGHT = 1100, 1000
_LEFT, _RIGHT, _TOP, _GAP, _BOTTOM = 84, 24, 84, 64, 52
_PANELS = 4
_PANEL_WIDTH = _WIDTH - _LEFT - _RIGHT
_PANEL_HEIGHT = (_HEIGHT - _TOP - _BOTTOM - (_PANELS - 1) * _GAP) // _PANELS
_FIRST_COLOR, _SECOND_COLOR, _THIRD_COLOR = (
    HAND_COLORS[Handedness.LEFT],
    HAND_COLORS[Handedness.RIGHT],
    TEXT,
)
_MIN_RANGE = 300
"""Least range in kB up and down, so that a single page does not look like a leak."""


def soak_chart(soak: Soak) -> np.ndarray:
    """Return a chart (1000, 1100, 3) uint8 RGB of memory, resources, latency and busy cores."""
    out = canvas(_WIDTH, _HEIGHT)
    title = "The node at 30 Hz, hands coming and going; it counts from the upright line on"
    put_text(out, title, (_LEFT, 26), 0.62)
    _memory(out, soak)
    _held(out, soak)
    _latency(out, soak)
    _cores(out, soak)
    put_text(out, "minutes", (_WIDTH - _RIGHT, _HEIGHT - 14), 0.42, MUTED, align=1.0)
    return out


def _memory(out: np.ndarray, soak: Soak) -> None:
    first, line = soak.late_samples[0], soak.trend("own")
    fields = ("rss", _SECOND_COLOR), ("own", _FIRST_COLOR)
    late = [
        getattr(sample, field) - getattr(first, field)
        for sample in soak.late_samples
        for field, _ in fields
    ]
    low, high = round_up(max(_MIN_RANGE, -min(late))), round_up(max(_MIN_RANGE, *late))
    axes = _axes(0, soak, high, -low)
    _draw(
        out,
        axes,
        soak,
        f"memory, kB more than the {first.own / 1024:.0f} MB after the warm-up: "
        f"{line.slope:+.1f} +- {line.error:.1f} kB/min",
        (("its own", _FIRST_COLOR), ("with shared segments", _SECOND_COLOR)),
    )
    for field, color in fields:
        base = getattr(first, field)
        axes.curve(
            out,
            ((soak.minutes(s.time), getattr(s, field) - base) for s in soak.samples),
            color,
        )


def _held(out: np.ndarray, soak: Soak) -> None:
    fields = ("files", _FIRST_COLOR), ("segments", _SECOND_COLOR), ("threads", _THIRD_COLOR)
    most = max(getattr(sample, field) for sample in soak.samples for field, _ in fields)
    axes = _axes(1, soak, round_up(1.1 * most))
    names = (
        ("file descriptors", _FIRST_COLOR),
        ("shared-memory segments", _SECOND_COLOR),
        ("threads", _THIRD_COLOR),
    )
    _draw(out, axes, soak, "held", names)
    for field, color in fields:
        axes.curve(out, ((soak.minutes(s.time), getattr(s, field)) for s in soak.samples), color)


def _latency(out: np.ndarray, soak: Soak) -> None:
    axes = _axes(2, soak, round_up(1.05 * max(window.p99 for window in soak.windows)))
    title = "latency, ms: from an image's stamp until the client has its hands"
    _draw(out, axes, soak, title, (("p99", _FIRST_COLOR), ("p50", _SECOND_COLOR)))
    axes.curve(out, ((window.minute, window.p99) for window in soak.windows), _FIRST_COLOR)
    axes.curve(out, ((window.minute, window.p50) for window in soak.windows), _SECOND_COLOR)


def _cores(out: np.ndarray, soak: Soak) -> None:
    """Draw the busy cores between the ends of the windows of latency."""
    times = np.array([soak.minutes(sample.time) for sample in soak.samples])
    used = np.array([sample.cpu_seconds for sample in soak.samples])
    edges = np.array([0.0] + [window.minute for window in soak.windows])
    cores = np.diff(np.interp(edges, times, used)) / (60 * np.diff(edges))
    axes = _axes(3, soak, round_up(1.1 * max(CORES_LIMIT, *cores)))
    title = (
        "cores that the node keeps busy with two, one and no hands in turn; "
        f"with two, were no image dropped: {soak.two_hands.cores_for_all:.2f}"
    )
    _draw(out, axes, soak, title, ())
    axes.curve(out, zip(edges[1:], cores, strict=True), _FIRST_COLOR)
    axes.limit(out, CORES_LIMIT, "limit with two hands")


def _axes(panel: int, soak: Soak, y_max: float, y_min: float = 0.0) -> Axes:
    top = _TOP + panel * (_PANEL_HEIGHT + _GAP)
    x_max = soak.minutes(soak.samples[-1].time)
    return Axes(_LEFT, top, _PANEL_WIDTH, _PANEL_HEIGHT, x_max, y_max, y_min)


def _draw(
    out: np.ndarray, axes: Axes, soak: Soak, title: str, legend: Iterable[tuple[str, Color]]
) -> None:
    """Draw a panel, the end of the warm-up and the legend, the latter from right to left."""
    axes.draw(out, title)
    warm = soak.minutes(soak.warm)
    draw_line(out, [axes.to_pixels(warm, axes.y_min), axes.to_pixels(warm, axes.y_max)], LINE, 2)
    u = _WIDTH - _RIGHT
    for text, color in reversed(tuple(legend)):
        u -= 20 + text_size(text, 0.45)[0]
        put_swatch(out, text, (u, axes.top - 16), color)
        u -= 18
