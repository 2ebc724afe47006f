"""Decimation of an open triangle mesh to an exact number of vertices, with regular triangles.

The edges that are shortest for their place are collapsed first; then edges are flipped and vertices
slide within the surface (Botsch and Kobbelt, "A remeshing approach to multiresolution modeling",
2004).  With V vertices, B of them on the one boundary, a disc has 2 V - 2 - B faces.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

import numpy as np

_LEAST_NORMAL_COSINE = 0.3
"""Least cosine of the angle by which a collapse or flip may turn a face's normal."""


def decimate(
    vertices: np.ndarray, faces: np.ndarray, sizes: np.ndarray, n_vertices: int, n_boundary: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return a mesh of n_vertices vertices, n_boundary of them on the boundary, by edge collapses.

    vertices: (V, 3).
    faces: (F, 3) of a manifold with one boundary.
    sizes: (V,) wanted length of the edges around each vertex, of any scale.

    Raises:
        ValueError: no more edges can be collapsed without breaking the manifold.
    """
    surface = _Collapsing(vertices, faces, sizes)
    surface.run(n_vertices, n_boundary)
    return surface.result()


def boundary_loop(faces: np.ndarray) -> list[int]:
    """Return the vertex ids of the boundary along its faces' directed edges, from the least id."""
    directed = {(int(f[k]), int(f[(k + 1) % 3])) for f in faces for k in range(3)}
    following = {a: b for a, b in directed if (b, a) not in directed}
    loop = [min(following)]
    while following[loop[-1]] != loop[0]:
        loop.append(following[loop[-1]])
    if len(loop) != len(following):
        raise ValueError(f"the mesh has more than one boundary: {len(following)} open edges")
    return loop


def flip_edges(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Return the faces after one pass of flipping edges whose opposite angles sum above pi."""
    triangles = [tuple(int(i) for i in f) for f in faces]
    owner = {(t[k], t[(k + 1) % 3]): i for i, t in enumerate(triangles) for k in range(3)}
    valence = np.bincount(faces.ravel(), minlength=len(vertices))
    for a, b in sorted(owner):
        if a > b or (a, b) not in owner or (b, a) not in owner:
            continue
        first, second = owner[a, b], owner[b, a]
        c, d = sum(triangles[first]) - a - b, sum(triangles[second]) - a - b
        connected = (c, d) in owner or (d, c) in owner
        if connected or min(valence[a], valence[b]) <= 4 or not _flip_helps(vertices, a, b, c, d):
            continue
        del owner[a, b], owner[b, a]
        triangles[first], triangles[second] = (c, a, d), (d, b, c)
        for i in (first, second):
            owner.update({(triangles[i][k], triangles[i][(k + 1) % 3]): i for k in range(3)})
        valence[[a, b]] -= 1
        valence[[c, d]] += 1
    return np.array(triangles, dtype=faces.dtype)


def relax(
    vertices: np.ndarray,
    faces: np.ndarray,
    pinned: np.ndarray,
    project: Callable[[np.ndarray], np.ndarray],
    iterations: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Flip edges and move vertices half-way to the mean of their neighbours, again and again.

    pinned: ids that stay where they are.
    project: brings free interior vertices (N, 3) back to the surface; boundary vertices are
        averaged along the boundary and keep their x, which must be the same for all.
    """
    loop = np.array(boundary_loop(faces))
    plane = vertices[loop[0], 0]
    for _ in range(iterations):
        faces = flip_edges(vertices, faces)
        moved = _neighbour_means(vertices, faces)
        moved[loop] = (vertices[np.roll(loop, 1)] + vertices[np.roll(loop, -1)]) / 2.0
        moved = (vertices + moved) / 2.0
        moved = project(moved)
        moved[loop, 0] = plane
        moved[pinned] = vertices[pinned]
        vertices = moved
    return vertices, faces


def _neighbour_means(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    pairs = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    count = np.bincount(pairs[:, 0], minlength=len(vertices))
    sums = [
        np.bincount(pairs[:, 0], vertices[pairs[:, 1], axis], len(vertices)) for axis in range(3)
    ]
    return np.stack(sums, axis=1) / count[:, None]


def _flip_helps(vertices: np.ndarray, a: int, b: int, c: int, d: int) -> bool:
    """True if edge a-b of faces (a, b, c), (b, a, d) should be flipped to c-d."""
    if _angle(vertices, c, a, b) + _angle(vertices, d, a, b) <= np.pi + 1e-6:
        return False
    old = _normal(vertices[[a, b, c]]) + _normal(vertices[[b, a, d]])
    new = [_normal(vertices[[c, a, d]]), _normal(vertices[[d, b, c]])]
    return all(_cosine(old, normal) > _LEAST_NORMAL_COSINE for normal in new)


def _angle(vertices: np.ndarray, at: int, a: int, b: int) -> float:
    return float(np.arccos(_cosine(vertices[a] - vertices[at], vertices[b] - vertices[at])))


def _normal(corners: np.ndarray) -> np.ndarray:
    return np.cross(corners[1] - corners[0], corners[2] - corners[0])


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    lengths = max(float(np.sqrt((a @ a) * (b @ b))), 1e-30)
    return float(np.clip(a @ b / lengths, -1.0, 1.0))


class _Collapsing:
    """A mesh in which edges are being collapsed, the one shortest for its place first."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray, sizes: np.ndarray) -> None:
        self.vertices = vertices.astype(np.float64)
        self.sizes = sizes.astype(np.float64)
        self.faces: dict[int, tuple[int, ...]] = {
            i: tuple(int(k) for k in f) for i, f in enumerate(faces)
        }
        self.around: list[set[int]] = [set() for _ in vertices]
        for i, face in self.faces.items():
            for v in face:
                self.around[v].add(i)
        self.boundary = set(boundary_loop(faces))
        self.n_left = len(vertices)
        self.version = [0] * len(vertices)
        self.queue: list[tuple[float, int, int, int]] = []
        for v in range(len(vertices)):
            self._push_edges(v)

    def run(self, n_vertices: int, n_boundary: int) -> None:
        while self.n_left > n_vertices or len(self.boundary) > n_boundary:
            if not self.queue:
                raise ValueError(f"stuck at {self.n_left} vertices, {len(self.boundary)} open")
            _, a, b, stamp = heapq.heappop(self.queue)
            if stamp != self.version[a] + self.version[b] or not self.around[b]:
                continue
            both_open = a in self.boundary and b in self.boundary
            excess = len(self.boundary) - n_boundary
            wanted = excess > 0 if both_open else self.n_left - max(excess, 0) > n_vertices
            if wanted and self._keeps_manifold(a, b):
                self._collapse(a, b)

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        kept = np.flatnonzero([bool(faces) for faces in self.around])
        renumbered = np.full(len(self.around), -1)
        renumbered[kept] = np.arange(len(kept))
        return self.vertices[kept], renumbered[np.array(list(self.faces.values()))]

    def _neighbours(self, v: int) -> set[int]:
        return {w for i in self.around[v] for w in self.faces[i]} - {v}

    def _push_edges(self, v: int) -> None:
        for w in self._neighbours(v):
            a, b = min(v, w), max(v, w)
            length = np.linalg.norm(self.vertices[a] - self.vertices[b])
            # Rounded, so that the order does not hang on the last bits of another machine.
            relative = round(float(length / (self.sizes[a] + self.sizes[b])), 9)
            heapq.heappush(self.queue, (relative, a, b, self.version[a] + self.version[b]))

    def _keeps_manifold(self, a: int, b: int) -> bool:
        """True if the link condition, the boundary and the normals of the remaining faces hold."""
        shared = self.around[a] & self.around[b]
        both_open = a in self.boundary and b in self.boundary
        if not shared or (both_open and len(shared) != 1):
            return False
        if len(self._neighbours(a) & self._neighbours(b)) != len(shared):
            return False
        target = self._target(a, b)
        for i in (self.around[a] | self.around[b]) - shared:
            before = self.vertices[list(self.faces[i])]
            after = np.array([target if v in (a, b) else self.vertices[v] for v in self.faces[i]])
            if _cosine(_normal(before), _normal(after)) < _LEAST_NORMAL_COSINE:
                return False
        return True

    def _target(self, a: int, b: int) -> np.ndarray:
        """Return the merged vertex: the middle, but a boundary vertex stays on the boundary."""
        if (a in self.boundary) != (b in self.boundary):
            return self.vertices[a if a in self.boundary else b]
        return (self.vertices[a] + self.vertices[b]) / 2.0

    def _collapse(self, a: int, b: int) -> None:
        """Merge b into a."""
        self.vertices[a] = self._target(a, b)
        self.sizes[a] = (self.sizes[a] + self.sizes[b]) / 2.0
        for i in self.around[a] & self.around[b]:
            for v in self.faces.pop(i):
                self.around[v].discard(i)
        for i in self.around[b]:
            self.faces[i] = tuple(a if v == b else v for v in self.faces[i])
            self.around[a].add(i)
        self.around[b] = set()
        if b in self.boundary:
            self.boundary.discard(b)
            self.boundary.add(a)
        self.n_left -= 1
        self.version[a] += 1
        self._push_edges(a)
