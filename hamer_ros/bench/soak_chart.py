"""The soak as a picture."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from hamer_ros.bench.soak_report import CORES_LIMIT, Soak
from hamer_ros.demo.axes import Axes, nice
from hamer_ros.demo.drawing import MUTED, SIDE, TEXT, canvas, put_swatch, put_text
from hamer_ros.hands import Side

_WIDTH, _HEIGHT = 1100, 1000
_LEFT, _RIGHT, _TOP, _GAP, _BOTTOM = 84, 24, 84, 64, 52
_PANELS = 4
_PANEL_HEIGHT = (_HEIGHT - _TOP - _BOTTOM - (_PANELS - 1) * _GAP) // _PANELS
_ONE, _OTHER, _THIRD = SIDE[Side.LEFT], SIDE[Side.RIGHT], TEXT


def soak_chart(soak: Soak) -> np.ndarray:
    """Memory, what the node holds, latency and busy cores over time, (1000, 1100, 3) uint8 RGB."""
    out = canvas(_WIDTH, _HEIGHT)
    put_text(out, "The node at 30 Hz, hands coming and going", (_LEFT, 26), 0.62)
    minutes = [soak.minutes(sample.time) for sample in soak.samples]
    x_max = max(minutes)

    rss = [sample.rss / 1024 for sample in soak.samples]
    anonymous = [sample.anonymous / 1024 for sample in soak.samples]
    low, high = math.floor(min(anonymous)) - 1, math.ceil(max(rss)) + 1
    axes = _axes(0, x_max, float(high), float(low))
    line = soak.trend("rss")
    slope = f"{line.slope:+.1f} +- {line.error:.1f} kB/min after the warm-up"
    axes.draw(out, f"memory, MB: {slope}")
    axes.curve(out, zip(minutes, rss, strict=True), _ONE)
    axes.curve(out, zip(minutes, anonymous, strict=True), _OTHER)
    warm = soak.minutes(soak.warm)
    axes.curve(out, [(warm, line.start / 1024), (x_max, line.end / 1024)], TEXT, 1)
    _legend(out, axes, (("all that is resident", _ONE), ("anonymous", _OTHER)))

    files = [sample.files for sample in soak.samples]
    segments = [sample.segments for sample in soak.samples]
    threads = [sample.threads for sample in soak.samples]
    axes = _axes(1, x_max, nice(1.1 * max(files + segments + threads)))
    axes.draw(out, "held")
    for counts, color in ((files, _ONE), (segments, _OTHER), (threads, _THIRD)):
        axes.curve(out, zip(minutes, counts, strict=True), color)
    names = ("file descriptors", _ONE), ("shared-memory segments", _OTHER), ("threads", _THIRD)
    _legend(out, axes, names)

    axes = _axes(2, x_max, nice(1.05 * max(window.p99 for window in soak.windows)))
    axes.draw(out, "latency, ms: from an image's stamp to its hands at the client")
    axes.curve(out, [(w.minute, w.p99) for w in soak.windows], _ONE)
    axes.curve(out, [(w.minute, w.p50) for w in soak.windows], _OTHER)
    _legend(out, axes, (("p99", _ONE), ("p50", _OTHER)))

    cores = list(_cores(soak))
    axes = _axes(3, x_max, nice(1.1 * max(CORES_LIMIT, *(y for _, y in cores))))
    axes.draw(out, "cores that the node keeps busy, however many hands are in view")
    axes.curve(out, cores, _ONE)
    axes.limit(out, CORES_LIMIT, "limit with two hands")
    text = f"two hands: {soak.two_hands.cores_for_all:.2f}"
    put_text(out, text, (_WIDTH - _RIGHT, axes.top - 16), 0.45, TEXT, align=1.0)

    for panel in range(_PANELS):
        top = _axes(panel, x_max, 1.0).top
        u = _LEFT + (_WIDTH - _LEFT - _RIGHT) * warm / x_max
        put_text(out, "|", (u, top - 2), 0.4, MUTED, align=0.5)
    put_text(out, "minutes", (_WIDTH - _RIGHT, _HEIGHT - 14), 0.42, MUTED, align=1.0)
    return out


def _cores(soak: Soak) -> Iterable[tuple[float, float]]:
    """Minute and busy cores between the ends of the windows of latency."""
    times = np.array([soak.minutes(sample.time) for sample in soak.samples])
    used = np.array([sample.cpu_seconds for sample in soak.samples])
    edges = np.array([window.minute for window in soak.windows])
    seconds = np.interp(edges, times, used)
    return zip(edges[1:], np.diff(seconds) / (60 * np.diff(edges)), strict=True)


def _axes(panel: int, x_max: float, y_max: float, y_min: float = 0.0) -> Axes:
    top = _TOP + panel * (_PANEL_HEIGHT + _GAP)
    return Axes(_LEFT, top, _WIDTH - _LEFT - _RIGHT, _PANEL_HEIGHT, x_max, y_max, y_min)


def _legend(
    out: np.ndarray, axes: Axes, entries: Iterable[tuple[str, tuple[int, int, int]]]
) -> None:
    u = _LEFT + 10
    for text, color in entries:
        u = put_swatch(out, text, (u, axes.top + 14), color) + 20
