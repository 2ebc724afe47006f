"""Draw shaded meshes over an image, with a soft light, a faint gloss and darker edges.

The diffuse term is the half-Lambert of Mitchell, McTaggart and Green, "Shading in Valve's Source
engine" (2006), which keeps form in the shade; the gloss is Blinn's ("Models of light reflection
for computer synthesized pictures", 1977).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from hamer_ros.rendering.raster import Raster, rasterize

SKIN = (0.88, 0.68, 0.57)
"""Red, green and blue of a hand when nothing else is asked for."""

_LIGHT = np.array([-0.35, -0.60, -0.75]) / np.linalg.norm([-0.35, -0.60, -0.75])
"""Direction to the light in the camera frame: over the left shoulder of the viewer."""

_AMBIENT = 0.45
_DIFFUSE = 0.65
_GLOSS = 0.10
_GLOSS_DOUBLINGS = 4  # the gloss is a cosine to the power of 2^4
_RIM = np.array([0.21, 0.35, 0.35], np.float32)
"""Share by which a grazing surface is darker in red, green and blue: skin glows red at its edges.
"""


@dataclass(frozen=True)
class Mesh:
    """A coloured surface in the camera frame.

    vertices: (V, 3) metres.
    faces: (F, 3), counter-clockwise seen from outside; only that side is seen.
    colors: (V, 3) or (3,), red, green and blue from 0 to 1.
    """

    vertices: np.ndarray
    faces: np.ndarray
    colors: np.ndarray | tuple[float, float, float] = SKIN


def shade(
    image: np.ndarray,
    meshes: Sequence[Mesh],
    intrinsics: np.ndarray,
    alpha: float = 1.0,
    supersampling: int = 2,
) -> np.ndarray:
    """Draw meshes over an image; where they overlap the nearer surface hides the other.

    image: (H, W, 3) uint8 RGB; it is not changed.
    intrinsics: (3, 3) pinhole matrix, pixels.
    alpha: opacity of the meshes over the image, 0 to 1.
    supersampling: samples per pixel in each direction.

    Returns a new image.
    """
    out = image.copy()
    if not meshes:
        return out
    scene = _joined(meshes)
    height, width = image.shape[:2]
    k = supersampling
    dense = magnified(intrinsics, k)
    raster = rasterize(scene.vertices, scene.faces, dense, k * width, k * height)
    if raster.face_ids.size == 0:
        return out
    colors = _surface_colors(scene, raster, dense)
    top, left, colors, coverage = _downsampled(raster, colors, k)
    window = out[top : top + colors.shape[0], left : left + colors.shape[1]]
    colors = colors[: window.shape[0], : window.shape[1]]
    opacity = alpha * coverage[: window.shape[0], : window.shape[1], None]
    # The colours are already weighted by their coverage.
    window[:] = np.clip(window * (1.0 - opacity) + alpha * 255.0 * colors + 0.5, 0, 255)
    return out


def side_view(
    meshes: Sequence[Mesh], intrinsics: np.ndarray, image: np.ndarray, supersampling: int = 2
) -> np.ndarray:
    """Draw the meshes over an image as seen from a quarter turn to their right.

    The scene turns about the vertical through the middle of its bounding box, at its own distance.
    """
    if not meshes:
        return image.copy()
    points = np.concatenate([mesh.vertices for mesh in meshes])
    middle = (points.min(axis=0) + points.max(axis=0)) / 2.0
    # What was right comes nearer: x -> -z, z -> x.
    turn = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
    centred = np.array([0.0, 0.0, middle[2]])
    turned = [
        Mesh((mesh.vertices - middle) @ turn.T + centred, mesh.faces, mesh.colors)
        for mesh in meshes
    ]
    return shade(image, turned, intrinsics, supersampling=supersampling)


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """The unit normals (V, 3) at the vertices (V, 3) of a mesh with faces (F, 3).

    A corner between edges a and b adds a x b / (|a|^2 |b|^2), which is exact on a sphere (Max,
    "Weights for computing vertex normals from facet normals", 1999).  Long triangles, such as those
    that close the wrist, hardly bend the normals of the short ones beside them.
    """
    corners = vertices[faces]
    edges = np.roll(corners, -1, axis=1) - corners
    squared = np.maximum((edges**2).sum(axis=2), 1e-18)
    face_normals = np.cross(edges[:, 0], edges[:, 1])
    weights = 1.0 / (squared * np.roll(squared, 1, axis=1))
    terms = (weights[:, :, None] * face_normals[:, None]).reshape(-1, 3)
    sums = [np.bincount(faces.ravel(), terms[:, axis], len(vertices)) for axis in range(3)]
    normals = np.stack(sums, axis=1)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return normals / np.maximum(lengths, 1e-12)


def magnified(intrinsics: np.ndarray, k: int) -> np.ndarray:
    """The intrinsics (3, 3) of the image enlarged k times.

    The centre of the top-left pixel is (0, 0) in both, hence u' = k u + (k - 1) / 2.
    """
    out = np.array(intrinsics, dtype=np.float64)
    out[:2] *= k
    out[:2, 2] += (k - 1) / 2.0
    return out


def _joined(meshes: Sequence[Mesh]) -> Mesh:
    """Make one mesh of several, with a colour at each vertex."""
    firsts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    return Mesh(
        vertices=np.concatenate([mesh.vertices for mesh in meshes]),
        faces=np.concatenate(
            [mesh.faces + first for mesh, first in zip(meshes, firsts, strict=True)]
        ),
        colors=np.concatenate(
            [np.broadcast_to(mesh.colors, (len(mesh.vertices), 3)) for mesh in meshes]
        ),
    )


def _surface_colors(scene: Mesh, raster: Raster, intrinsics: np.ndarray) -> np.ndarray:
    """The lit colours (H, W, 3) float32 from 0 to 1, zero where there is no surface."""
    covered = np.flatnonzero(raster.face_ids >= 0)
    # The three components of a vector are rows, which numpy goes through faster than columns.
    normals = vertex_normals(scene.vertices, scene.faces)
    interpolated = _interpolated(scene.faces, np.hstack([normals, scene.colors]), raster, covered)
    normal, albedo = _normalized(interpolated[:3]), interpolated[3:]
    to_eye = _normalized(-_rays(raster, intrinsics, covered))
    light = _LIGHT.astype(np.float32)
    halfway = _normalized(to_eye + light[:, None])

    half_lambert = 0.5 + 0.5 * (light @ normal)
    diffuse = half_lambert * np.sqrt(half_lambert)
    gloss = np.maximum(_dot(normal, halfway), 0.0)
    for _ in range(_GLOSS_DOUBLINGS):
        gloss = gloss * gloss
    grazing = 1.0 - np.clip(_dot(normal, to_eye), 0.0, 1.0)
    brightness = _AMBIENT + _DIFFUSE * diffuse
    lit = albedo * brightness * (1.0 - _RIM[:, None] * (grazing * grazing)) + _GLOSS * gloss

    colors = np.zeros((*raster.face_ids.shape, 3), np.float32)
    colors.reshape(-1, 3)[covered] = np.minimum(lit, 1.0).T
    return colors


def _interpolated(
    faces: np.ndarray, attributes: np.ndarray, raster: Raster, covered: np.ndarray
) -> np.ndarray:
    """The attributes (C, N) float32 at N covered pixels, from those of the vertices (V, C)."""
    corners = attributes.astype(np.float32)[faces][raster.face_ids.reshape(-1)[covered]]
    weights = raster.barycentrics.reshape(3, -1)[:, covered]
    return np.einsum("in,nic->cn", weights, corners)


def _rays(raster: Raster, intrinsics: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """The rays (3, N) float32 with z = 1 through each covered pixel."""
    row, column = np.divmod(covered, raster.face_ids.shape[1])
    pixels = np.stack([column + raster.left, row + raster.top, np.ones_like(row)])
    return np.linalg.inv(intrinsics).astype(np.float32) @ pixels.astype(np.float32)


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("in,in->n", a, b)


def _normalized(v: np.ndarray) -> np.ndarray:
    return v / np.maximum(np.sqrt(_dot(v, v)), np.float32(1e-9))


def _downsampled(
    raster: Raster, colors: np.ndarray, k: int
) -> tuple[int, int, np.ndarray, np.ndarray]:
    """Average k x k samples: top, left, colours (H, W, 3) and coverage (H, W) of whole pixels."""
    top, left = raster.top // k, raster.left // k
    above, before = raster.top - k * top, raster.left - k * left
    height, width = raster.face_ids.shape
    below, after = -(above + height) % k, -(before + width) % k
    covered = (raster.face_ids >= 0).astype(np.float32)
    samples = np.concatenate([colors, covered[..., None]], axis=2)
    samples = cv2.copyMakeBorder(samples, above, below, before, after, cv2.BORDER_CONSTANT)
    size = (samples.shape[1] // k, samples.shape[0] // k)
    averaged = cv2.resize(samples, size, interpolation=cv2.INTER_AREA)
    return top, left, averaged[..., :3], averaged[..., 3]
