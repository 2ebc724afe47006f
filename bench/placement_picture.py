"""The chart of the wrist's error by method, over its distance from the optical axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from hamer_ros.demo.drawing import LINE, MUTED, PANEL, canvas, put_swatch, put_text

_WIDTH, _HEIGHT = 900, 460
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 24, 90, 60
_LEAST, _MOST = 10.0, 1000.0
"""Millimetres at the bottom and top of the logarithmic scale."""

_COLORS = {
    "ours": (102, 187, 106),
    "pnp": (255, 202, 40),
    "sqpnp": (66, 165, 245),
    "translation_only": (171, 71, 188),
    "weak_perspective": (239, 83, 80),
    "bound": (236, 239, 241),
}
_NAMES = {
    "ours": "this placement",
    "pnp": "free PnP",
    "sqpnp": "SQPnP",
    "translation_only": "translation only",
    "weak_perspective": "weak perspective",
    "bound": "Bayesian bound",
}


def draw(path: Path, degrees: Sequence[float], errors: Mapping[str, Sequence[float]]) -> None:
    """Write a chart of each method's rms error, mm, over degrees off the optical axis."""
    out = canvas(_WIDTH, _HEIGHT)
    put_text(
        out, "Wrist error, mm rms: 2 px of noise, 6 mm of joint error, size known", (_LEFT, 24)
    )
    u = _LEFT
    for method in errors:
        u = put_swatch(out, _NAMES[method], (u, 56), _COLORS[method]) + 18
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    cv2.rectangle(out, (_LEFT, _TOP), (right, bottom), PANEL, -1)
    for value in (10, 20, 50, 100, 200, 500, 1000):
        v = _height(value)
        cv2.line(out, (_LEFT, v), (right, v), LINE, 1)
        put_text(out, f"{value}", (_LEFT - 10, v), 0.42, MUTED, align=1.0)
    span = (right - _LEFT - 40) / (degrees[-1] - degrees[0])
    columns = [round(_LEFT + 20 + span * (d - degrees[0])) for d in degrees]
    for column, degree in zip(columns, degrees, strict=True):
        put_text(out, f"{degree:g}", (column, bottom + 18), 0.42, MUTED, align=0.5)
    put_text(out, "degrees off the optical axis", (right, _HEIGHT - 18), 0.42, MUTED, align=1.0)
    for method, values in errors.items():
        points = np.array([(c, _height(e)) for c, e in zip(columns, values, strict=True)], np.int32)
        thickness = 1 if method == "bound" else 2
        cv2.polylines(out, [points], False, _COLORS[method], thickness, cv2.LINE_AA)
        for point in points:
            cv2.circle(out, tuple(map(int, point)), 4, _COLORS[method], -1, cv2.LINE_AA)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(out, cv2.COLOR_RGB2BGR))


def _height(value: float) -> int:
    """Return the row of an error on the logarithmic scale."""
    share = np.log(np.clip(value, _LEAST, _MOST) / _LEAST) / np.log(_MOST / _LEAST)
    return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _TOP))
