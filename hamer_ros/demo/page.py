"""The picture of one frame: hands over the image, and each of them from the side."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hamer_ros.camera.model import CameraModel
from hamer_ros.demo.drawing import (
    HAND_COLORS,
    MUTED,
    PANEL,
    canvas,
    put_ring,
    put_swatch,
    put_tag,
    put_text,
    scaled,
)
from hamer_ros.demo.records import SeenHand
from hamer_ros.hands import Handedness
from hamer_ros.rendering.labels import Box
from hamer_ros.rendering.overlay import HANDEDNESS_COLORS, seen_through
from hamer_ros.rendering.shading import Mesh, shade, side_view
from hamer_ros.rendering.skeleton import draw_skeleton

MARGIN = 16
_HEAD, _FOOT = 44, 44
_MIN_WIDTH, _MAX_WIDTH, _MAX_HEIGHT = 640, 1280, 900
_MAX_CELL = 360

_CELL_METRES = 0.24
"""Width in metres that a side view covers at the distance of the hand."""


@dataclass(frozen=True)
class Page:
    """The content of the picture of one frame.

    rgb: (H, W, 3) uint8, the source's image.
    hands: as the client received them; None where the node did not process the frame.
    faces: handedness -> (F, 3), from the topology message.
    truth: (21, 2) pixels of the true joints of each hand, where they are known.
    cells: number of side views, at least 1; the same for all pages of a video.
    caption: a line about the frame.
    """

    rgb: np.ndarray
    camera: CameraModel
    hands: tuple[SeenHand, ...] | None
    faces: dict[Handedness, np.ndarray]
    truth: tuple[np.ndarray, ...]
    cells: int
    caption: str


def draw_page(page: Page) -> np.ndarray:
    """Return the picture, (H', W', 3) uint8 RGB."""
    page = _fitted(page)
    height, width = page.rgb.shape[:2]
    cell = min((height - (page.cells - 1) * MARGIN) // page.cells, _MAX_CELL)
    side_left = width + 2 * MARGIN
    out = canvas(side_left + cell + MARGIN, _HEAD + height + _FOOT)
    out[_HEAD : _HEAD + height, MARGIN : MARGIN + width] = _overlay(page)
    put_text(out, "received hands over the image", (MARGIN, _HEAD / 2), 0.55)
    hands = sorted(page.hands or (), key=lambda hand: (hand.handedness, hand.track_id))
    count_note = f", {page.cells} of {len(hands)}" if len(hands) > page.cells else ""
    put_text(out, f"from the side{count_note}", (side_left, _HEAD / 2), 0.55)
    for number in range(page.cells):
        top = _HEAD + number * (cell + MARGIN)
        if number < len(hands):
            picture = _side_cell(hands[number], page.faces, cell)
        else:
            picture = _empty_cell("not processed" if page.hands is None else "no hand", cell)
        out[top : top + cell, side_left : side_left + cell] = picture
    _put_legend(out, page)
    return out


def _fitted(page: Page) -> Page:
    """Return the page with its image at a size that is good to look at."""
    height, width = page.rgb.shape[:2]
    factor = min(max(1.0, _MIN_WIDTH / width), _MAX_WIDTH / width, _MAX_HEIGHT / height)
    rgb = scaled(page.rgb, factor)
    resized = page.camera.resized(rgb.shape[1], rgb.shape[0])
    hands = page.hands and tuple(
        replace(hand, keypoints=factor * (hand.keypoints + 0.5) - 0.5) for hand in page.hands
    )
    truth = tuple(factor * (keypoints + 0.5) - 0.5 for keypoints in page.truth)
    return replace(page, rgb=rgb, camera=resized, hands=hands, truth=truth)


def _overlay(page: Page) -> np.ndarray:
    hands = page.hands or ()
    meshes = [
        Mesh(
            seen_through(page.camera, hand.vertices),
            page.faces[hand.handedness],
            HANDEDNESS_COLORS[hand.handedness],
        )
        for hand in hands
    ]
    out = shade(page.rgb, meshes, page.camera.matrix, alpha=0.9)
    for hand in hands:
        out = draw_skeleton(out, hand.keypoints, thickness=1)
    for keypoints in page.truth:
        for point in keypoints:
            put_ring(out, point)
    taken: list[Box] = []
    for hand in hands:
        text = f"{hand.handedness.name.lower()} #{hand.track_id}   {hand.wrist[2]:.2f} m"
        left, top = hand.keypoints.min(axis=0)
        put_tag(out, text, (left, top - 10), HAND_COLORS[hand.handedness], taken)
    return out


def _empty_cell(reason: str, size: int) -> np.ndarray:
    out = canvas(size, size, PANEL)
    put_text(out, reason, (size / 2, size / 2), 0.45, MUTED, align=0.5)
    return out


def _side_cell(hand: SeenHand, faces: dict[Handedness, np.ndarray], size: int) -> np.ndarray:
    """Return one hand as seen from its right, the camera being on the left."""
    out = canvas(size, size, PANEL)
    depth = (hand.vertices[:, 2].min() + hand.vertices[:, 2].max()) / 2
    focal, middle = size * depth / _CELL_METRES, (size - 1) / 2
    intrinsics = np.array([[focal, 0, middle], [0, focal, middle], [0, 0, 1]])
    out = side_view(
        [Mesh(hand.vertices, faces[hand.handedness], HANDEDNESS_COLORS[hand.handedness])],
        intrinsics,
        out,
    )
    put_text(out, f"{hand.handedness.name.lower()} #{hand.track_id}", (10, 16), 0.42, MUTED)
    put_text(out, "< camera", (10, size - 14), 0.38, MUTED)
    put_text(out, f"{100 * _CELL_METRES:.0f} cm", (size - 10, size - 14), 0.38, MUTED, align=1.0)
    return out


def _put_legend(out: np.ndarray, page: Page) -> None:
    v = out.shape[0] - _FOOT // 2
    u = MARGIN
    for handedness in (Handedness.LEFT, Handedness.RIGHT):
        u = put_swatch(out, f"{handedness.name.lower()} hand", (u, v), HAND_COLORS[handedness]) + 24
    if page.truth:
        put_ring(out, (u + 6, v))
        put_text(out, "true joint", (u + 20, v), 0.45, MUTED)
    put_text(out, page.caption, (out.shape[1] - MARGIN, v), 0.45, MUTED, align=1.0)
