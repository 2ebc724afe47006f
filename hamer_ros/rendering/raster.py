"""A z-buffer rasteriser of triangle meshes, vectorised over all spans of all triangles.

Every triangle is cut into spans, the runs of pixel centres that lie inside it on one image row.
The barycentric coordinates of a triangle are affine in the pixel, b_i = g_i . (u, v, 1), so the
ends of a span follow from three divisions and no pixel is tested in vain (Pineda, "A parallel
algorithm for polygon rasterization", 1988).  Across a triangle 1/z is affine in the pixel and
attributes are not: the barycentrics are divided by the depths of the corners, which makes them
perspective-correct (Heckbert and Moreton, "Interpolation for polygon texture mapping", 1991).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NEAR = 0.01
"""Metres; a triangle with a corner nearer to the camera's plane than this is not drawn."""

_LEAST_AREA = 1e-6
"""Twice the area in square pixels under which a triangle is too thin to be drawn."""

_OVERLAP = 1e-6
"""Barycentric units by which a triangle reaches over its edges, so that neighbours leave no gap."""


@dataclass(frozen=True)
class Raster:
    """The surface at each pixel of a window of an image.

    left, top: pixel of the image at the window's top-left corner.
    face_ids: (H, W) int32, the nearest triangle, or -1 where there is none.
    barycentrics: (3, H, W) float32, perspective-correct weights of that triangle's corners.
    depth: (H, W) float32 metres along the optical axis; inf where there is no triangle.
    """

    left: int
    top: int
    face_ids: np.ndarray
    barycentrics: np.ndarray
    depth: np.ndarray


def rasterize(
    vertices: np.ndarray, faces: np.ndarray, intrinsics: np.ndarray, width: int, height: int
) -> Raster:
    """Find the nearest front-facing triangle at every pixel centre of a pinhole image.

    vertices: (V, 3) metres in the camera frame.
    faces: (F, 3), counter-clockwise seen from outside; triangles that show their back are culled.
    intrinsics: (3, 3) pixels.
    width, height: of the image; the window returned is the mesh's bounding box inside it, and
        empty when nothing is in view.
    """
    depths = vertices[:, 2]
    ahead = depths > NEAR
    safe = np.where(ahead, depths, 1.0)
    pixels = (vertices / safe[:, None]) @ intrinsics[:2].T
    kept = np.flatnonzero(ahead[faces].all(axis=1))
    corners = pixels[faces[kept]]
    # The image's v points down, so a front face turns clockwise in (u, v): its area is negative.
    area = _twice_area(corners)
    inside = (corners.max(axis=1) >= 0.0) & (corners.min(axis=1) <= [width - 1, height - 1])
    front = (area < -_LEAST_AREA) & inside.all(axis=1)
    kept, corners = kept[front], corners[front]
    if kept.size == 0:
        return _empty(0, 0, (0, 0))

    low = np.maximum(np.floor(corners.min(axis=(0, 1))), 0.0).astype(int)
    high = np.minimum(np.ceil(corners.max(axis=(0, 1))), [width - 1, height - 1]).astype(int)
    shape = (int(high[1] - low[1]) + 1, int(high[0] - low[0]) + 1)
    raster = _empty(int(low[0]), int(low[1]), shape)
    corners = corners - low
    gradients = _barycentric_gradients(corners)
    triangle, row, start, count = _spans(corners, gradients, shape)
    _fill(raster, kept, depths[faces[kept]], gradients, (triangle, row, start, count))
    return raster


def _empty(left: int, top: int, shape: tuple[int, int]) -> Raster:
    return Raster(
        left=left,
        top=top,
        face_ids=np.full(shape, -1, np.int32),
        barycentrics=np.zeros((3, *shape), np.float32),
        depth=np.full(shape, np.inf, np.float32),
    )


def _twice_area(corners: np.ndarray) -> np.ndarray:
    """Twice the signed areas (T,) of triangles with corners (T, 3, 2), pixels."""
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def _barycentric_gradients(corners: np.ndarray) -> np.ndarray:
    """The gradients g (T, 3, 3) of the barycentric coordinates, with b_i = g_i . (u, v, 1).

    b_i is the area of the triangle that the pixel spans with corners i+1 and i+2, over the whole.

    corners: (T, 3, 2) pixels.
    """
    first, second = corners[:, [1, 2, 0]], corners[:, [2, 0, 1]]
    edge = second - first
    constant = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
    gradients = np.stack([-edge[..., 1], edge[..., 0], constant], axis=-1)
    return gradients / _twice_area(corners)[:, None, None]


def _spans(
    corners: np.ndarray, gradients: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Cut triangles into spans: (S,) int each of triangle, row, first column, number of pixels."""
    height, width = shape
    top = np.clip(np.ceil(corners[..., 1].min(axis=1)), 0, height).astype(int)
    bottom = np.clip(np.floor(corners[..., 1].max(axis=1)), -1, height - 1).astype(int)
    rows = np.maximum(bottom - top + 1, 0)
    triangle, within = _enumerate(rows)
    row = top[triangle] + within

    # b_i(u) = slope u + offset bounds u from below where the slope is positive, else from above.
    slope = gradients[triangle, :, 0]
    offset = gradients[triangle, :, 1] * row[:, None] + gradients[triangle, :, 2] + _OVERLAP
    level = np.abs(slope) < 1e-12
    crossing = -offset / np.where(level, 1.0, slope)
    outside = (level & (offset < 0.0)).any(axis=1)
    start = np.where(~level & (slope > 0.0), crossing, 0.0).max(axis=1)
    end = np.where(~level & (slope < 0.0), crossing, width - 1.0).min(axis=1)
    start = np.ceil(np.clip(start, 0.0, width))
    end = np.floor(np.clip(end, -1.0, width - 1.0))
    count = np.where(outside, 0.0, np.maximum(end - start + 1.0, 0.0))
    return triangle, row, start.astype(int), count.astype(int)


def _enumerate(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The group of every item, and its index within the group, from the sizes (N,) of groups."""
    group = np.repeat(np.arange(len(counts)), counts)
    first = np.cumsum(counts) - counts
    return group, np.arange(len(group)) - first[group]


def _fill(
    raster: Raster,
    face_ids: np.ndarray,
    corner_depths: np.ndarray,
    gradients: np.ndarray,
    spans: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Write the nearest fragment of every pixel into the raster.

    face_ids: (T,) ids of the triangles.
    corner_depths: (T, 3) metres.
    """
    triangle, row, start, count = spans
    span, within = _enumerate(count)
    # Weights b_i / z_i, whose sum is 1 / z, along the span: value at its start plus a step per u.
    # The three weights are rows, which numpy goes through faster than columns.
    scaled = (gradients / corner_depths[:, :, None])[triangle].T
    step = scaled[0].astype(np.float32)
    value = (scaled[0] * start + scaled[1] * row + scaled[2]).astype(np.float32)
    weights = [value[i][span] + step[i][span] * within.astype(np.float32) for i in range(3)]
    depth = 1.0 / (weights[0] + weights[1] + weights[2])
    pixel = (row * raster.depth.shape[1] + start)[span] + within

    nearest = raster.depth.reshape(-1)
    np.minimum.at(nearest, pixel, depth)
    won = np.flatnonzero(depth == nearest[pixel])
    pixel, depth = pixel[won], depth[won]
    raster.face_ids.reshape(-1)[pixel] = face_ids[triangle][span[won]]
    for i in range(3):
        raster.barycentrics[i].reshape(-1)[pixel] = weights[i][won] * depth
