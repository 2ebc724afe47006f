"""Decode the outputs of a box model, whose style is recognised by their shapes.

C is the number of classes, N that of boxes; boxes are in pixels of the input.

=====================  ===========================  =============================================
outputs                each box                     written by
=====================  ===========================  =============================================
(1, 4 + C, N)          x, y, w, h, C scores         Ultralytics YOLOv8 to YOLO12
(1, N, 4 + C)          the same                     exporters that turn it round
(1, N, 5 + C)          x, y, w, h, object, C scores YOLOv5, YOLOv7, decoded YOLOX
(1, N, 6), N <= 1000   corners, score, class        Ultralytics with suppression inside (YOLO26)
(1, N, 5) and (1, N)   corners, score; class        MMDeploy: RTMDet
=====================  ===========================  =============================================

x, y is the centre.  Where the number of classes is known, columns beyond them (keypoints or masks)
are passed over.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hamer_ros.errors import FileFormatError

MAX_FINAL = 1000
"""Boxes that are left after suppression at most; before it, an input of 320 pixels has 2100."""


class Style(enum.Enum):
    """The styles of outputs, in the order of the table above; the values are their shapes."""

    COLUMNS = "(1, 4 + C, N)"
    ROWS = "(1, N, 4 + C)"
    OBJECTNESS = "(1, N, 5 + C)"
    FINAL = "(1, N, 6) with N <= 1000"
    WITH_LABELS = "(1, N, 5) and integers (1, N)"


@dataclass(frozen=True)
class ScoredBoxes:
    """Boxes with a score for each class.

    boxes: (N, 4) float64 x_min, y_min, x_max, y_max.
    scores: (N, C) float64, 0 to 1.
    """

    boxes: np.ndarray
    scores: np.ndarray


def recognise(outputs: Sequence[np.ndarray], n_classes: int | None) -> Style:
    """Recognise the style of the outputs.

    n_classes: how many classes the model has, where that is known.

    Raises:
        FileFormatError: they have none of the styles.
    """
    shapes = [np.shape(output) for output in outputs]
    is_list = bool(shapes) and len(shapes[0]) == 3 and shapes[0][0] == 1
    if is_list and len(shapes) == 2 and shapes[0][2] == 5:
        if shapes[1] == shapes[0][:2] and np.issubdtype(outputs[1].dtype, np.integer):
            return Style.WITH_LABELS
    elif is_list and all(len(shape) > 3 for shape in shapes[1:]):
        style = _single(shapes[0][1], shapes[0][2], n_classes)
        if style is not None:
            return style
    found = ", ".join(f"{output.dtype} {np.shape(output)}" for output in outputs)
    classes = "" if n_classes is None else f" of {n_classes} classes"
    raise FileFormatError(
        f"the outputs{classes} are {found}; understood are: "
        + "; ".join(style.value for style in Style)
    )


def _single(rows: int, columns: int, n_classes: int | None) -> Style | None:
    """The style of one output (1, rows, columns)."""
    least = 1 if n_classes is None else n_classes
    if columns == 6 and rows <= MAX_FINAL:
        return Style.FINAL
    if rows < columns:
        return Style.COLUMNS if rows >= 4 + least else None
    if columns == 5 or columns - 4 == n_classes:
        return Style.ROWS if columns >= 4 + least else None
    return Style.OBJECTNESS if columns >= 5 + least else None


def decode(style: Style, outputs: Sequence[np.ndarray], n_classes: int | None) -> ScoredBoxes:
    """Decode all boxes, in pixels of the input.

    n_classes: how many classes there are; None for as many as the outputs can hold.
    """
    values = np.asarray(outputs[0][0], np.float64)
    if style is Style.WITH_LABELS:
        return _labelled(values[:, :4], values[:, 4], outputs[1][0], n_classes)
    if style is Style.FINAL:
        return _labelled(values[:, :4], values[:, 4], values[:, 5], n_classes)
    if style is Style.COLUMNS:
        values = values.T
    first = 5 if style is Style.OBJECTNESS else 4
    scores = values[:, first:][:, :n_classes]
    if style is Style.OBJECTNESS:
        scores = scores * values[:, 4:5]
    half = values[:, 2:4] / 2
    boxes = np.concatenate([values[:, :2] - half, values[:, :2] + half], axis=1)
    return ScoredBoxes(boxes, scores)


def _labelled(
    boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, n_classes: int | None
) -> ScoredBoxes:
    """The boxes with a score for each class: that of the box for its label, 0 for the others.

    boxes: (N, 4).
    scores: (N,).
    labels: (N,).
    """
    labels = labels.astype(int)
    if n_classes is None:
        n_classes = int(labels.max(initial=0)) + 1
    # Detectors pad their lists with label -1, and classes beyond the named ones do not count.
    known = (labels >= 0) & (labels < n_classes)
    spread = np.zeros((int(known.sum()), n_classes))
    spread[np.arange(len(spread)), labels[known]] = scores[known]
    return ScoredBoxes(boxes[known], spread)
