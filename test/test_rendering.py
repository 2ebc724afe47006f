"""The renderer against closed forms: what a plane, a sphere and two discs must look like."""

from __future__ import annotations

import numpy as np
import pytest

from hamer_ros.geometry.rotations import MIRROR
from hamer_ros.hand_model.model import HandModel
from hamer_ros.hand_model.topology import closed_faces, mirrored_faces
from hamer_ros.hands import Handedness
from hamer_ros.rendering.forearm import with_forearm
from hamer_ros.rendering.raster import rasterize
from hamer_ros.rendering.shading import Mesh, shade, side_view, vertex_normals
from hamer_ros.rendering.skeleton import draw_skeleton

WIDTH, HEIGHT = 320, 240
K = np.array([[300.0, 0.0, 160.0], [0.0, 300.0, 120.0], [0.0, 0.0, 1.0]])
TOWARDS_CAMERA = np.array([[0, 2, 1], [0, 3, 2]])


def sphere(centre, radius, rings=40):
    """A closed sphere of latitude and longitude, facing out."""
    theta = np.linspace(0.0, np.pi, rings + 1)[:, None]
    phi = np.linspace(0.0, 2.0 * np.pi, 2 * rings, endpoint=False)[None]
    x, y = np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi)
    z = np.cos(theta) + 0.0 * phi
    vertices = radius * np.stack([x, y, z], axis=-1).reshape(-1, 3) + centre
    n = 2 * rings
    i, j = (a.ravel() for a in np.meshgrid(np.arange(rings), np.arange(n), indexing="ij"))
    a, b = i * n + j, i * n + (j + 1) % n
    faces = np.concatenate([np.stack([a, a + n, b], axis=1), np.stack([b, a + n, b + n], axis=1)])
    return vertices, faces


def quad(corners):
    return np.array(corners, dtype=float), TOWARDS_CAMERA


def whole(raster):
    """The window put into the image: face ids and depth, (HEIGHT, WIDTH)."""
    ids = np.full((HEIGHT, WIDTH), -1)
    depth = np.full((HEIGHT, WIDTH), np.inf)
    window = np.s_[
        raster.top : raster.top + raster.depth.shape[0],
        raster.left : raster.left + raster.depth.shape[1],
    ]
    ids[window], depth[window] = raster.face_ids, raster.depth
    return ids, depth


def test_a_sphere_covers_the_ellipse_that_perspective_gives():
    """A cone of half angle a about the axis cuts the image in a circle of radius f tan(a)."""
    distance, radius = 0.5, 0.1
    raster = rasterize(*sphere([0.0, 0.0, distance], radius), K, WIDTH, HEIGHT)
    ids, depth = whole(raster)
    tangent = radius / np.sqrt(distance**2 - radius**2)
    assert (ids >= 0).sum() == pytest.approx(np.pi * (300.0 * tangent) ** 2, rel=0.01)
    assert depth[120, 160] == pytest.approx(distance - radius, abs=1e-4)


def test_every_depth_of_a_sphere_lies_on_the_sphere():
    centre, radius = np.array([0.05, -0.03, 0.6]), 0.12
    ids, depth = whole(rasterize(*sphere(centre, radius, rings=120), K, WIDTH, HEIGHT))
    v, u = np.nonzero(ids >= 0)
    points = np.stack([u, v, np.ones(len(u))], axis=1) @ np.linalg.inv(K).T * depth[v, u, None]
    # The chords of 120 rings stay within 20 micrometres, the float32 depths add little.
    np.testing.assert_allclose(np.linalg.norm(points - centre, axis=1), radius, atol=1e-4)


def test_a_slanted_plane_has_the_depth_of_its_equation():
    """n . (z K^-1 p) = d is where perspective-correct interpolation differs from linear."""
    vertices, faces = quad([[-0.2, -0.2, 0.4], [0.2, -0.2, 1.2], [0.2, 0.2, 1.2], [-0.2, 0.2, 0.4]])
    raster = rasterize(vertices, faces, K, WIDTH, HEIGHT)
    ids, depth = whole(raster)
    normal = np.cross(vertices[1] - vertices[0], vertices[3] - vertices[0])
    v, u = np.nonzero(ids >= 0)
    rays = np.stack([u, v, np.ones(len(u))], axis=1) @ np.linalg.inv(K).T
    np.testing.assert_allclose(depth[v, u], normal @ vertices[0] / (rays @ normal), rtol=1e-5)
    # The barycentrics put the surface point on the ray.
    v, u = np.nonzero(raster.face_ids >= 0)
    corners = vertices[faces[raster.face_ids[v, u]]]
    points = np.einsum("in,nij->nj", raster.barycentrics[:, v, u], corners)
    pixels = (points / points[:, 2:]) @ K[:2].T
    np.testing.assert_allclose(pixels, np.stack([u + raster.left, v + raster.top], 1), atol=1e-3)


def test_neighbouring_triangles_leave_no_gap():
    """A fine random tiling of a square covers every pixel whose centre lies inside it."""
    rng = np.random.default_rng(0)
    n = 30
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, n), np.linspace(-1, 1, n)), axis=-1)
    grid[1:-1, 1:-1] += rng.uniform(-0.02, 0.02, size=(n - 2, n - 2, 2))
    # Half the side at half a metre's depth is 60.5 pixels.
    half = 60.5 / 300.0 * 0.5
    vertices = np.concatenate([half * grid.reshape(-1, 2), np.full((n * n, 1), 0.5)], axis=1)
    i, j = (a.ravel() for a in np.meshgrid(np.arange(n - 1), np.arange(n - 1), indexing="ij"))
    a = i * n + j
    faces = np.concatenate(
        [np.stack([a, a + n, a + 1], axis=1), np.stack([a + 1, a + n, a + n + 1], axis=1)]
    )
    ids, _ = whole(rasterize(vertices, faces, K, WIDTH, HEIGHT))
    assert (ids[60:181, 100:221] >= 0).all()
    assert (ids >= 0).sum() == 121 * 121


def test_the_nearer_surface_wins_whatever_the_order():
    near, far = (sphere([x, 0.0, z], 0.08, rings=20) for x, z in ((0.03, 0.4), (-0.03, 0.6)))
    # The spheres' equators lie on a row of pixels, where triangles are seen edge-on.
    red, blue = Mesh(*near, (1.0, 0.1, 0.1)), Mesh(*far, (0.1, 0.1, 1.0))
    blank = np.zeros((HEIGHT, WIDTH, 3), np.uint8)

    def drawn(*meshes):
        return shade(blank, meshes, K, supersampling=1)

    one, other = drawn(red, blue), drawn(blue, red)
    np.testing.assert_array_equal(one, other)
    # Where both are seen by themselves, the red one shows.
    alone = [drawn(red), drawn(blue)]
    both = (alone[0].min(axis=2) > 5) & (alone[1].min(axis=2) > 5)
    assert both.sum() > 1000
    assert (one[both][:, 0] > one[both][:, 2]).all()


def test_intersecting_surfaces_cut_one_another():
    """Two planes that cross: each is nearer on its own side of the line."""
    a = quad([[-0.2, -0.1, 0.4], [0.2, -0.1, 0.8], [0.2, 0.1, 0.8], [-0.2, 0.1, 0.4]])
    b = quad([[-0.2, -0.1, 0.8], [0.2, -0.1, 0.4], [0.2, 0.1, 0.4], [-0.2, 0.1, 0.8]])
    vertices, faces = np.concatenate([a[0], b[0]]), np.concatenate([a[1], b[1] + 4])
    ids, _ = whole(rasterize(vertices, faces, K, WIDTH, HEIGHT))
    assert set(np.unique(ids[110:131, 130:155])) <= {0, 1}
    assert set(np.unique(ids[110:131, 165:190])) <= {2, 3}


def test_backs_are_culled():
    vertices, faces = quad([[-0.1, -0.1, 0.5], [0.1, -0.1, 0.5], [0.1, 0.1, 0.5], [-0.1, 0.1, 0.5]])
    assert rasterize(vertices, faces, K, WIDTH, HEIGHT).face_ids.size > 0
    assert rasterize(vertices, mirrored_faces(faces), K, WIDTH, HEIGHT).face_ids.size == 0


@pytest.mark.parametrize(
    "centre", [(0.3, 0.0, 0.5), (0.0, -0.25, 0.5), (-0.27, 0.21, 0.5), (0.0, 0.0, 0.05)]
)
def test_what_reaches_out_of_view_is_cut_off(centre):
    """Pixels inside the image are those of the same scene in a larger image."""
    vertices, faces = sphere(centre, 0.1, rings=20)
    margin = 300
    larger = K.copy()
    larger[:2, 2] += margin
    ids, depth = whole(rasterize(vertices, faces, K, WIDTH, HEIGHT))
    seen = rasterize(vertices, faces, larger, WIDTH + 2 * margin, HEIGHT + 2 * margin)
    expected = np.full((HEIGHT + 2 * margin, WIDTH + 2 * margin), -1)
    height, width = seen.face_ids.shape
    expected[seen.top : seen.top + height, seen.left : seen.left + width] = seen.face_ids
    expected = expected[margin:-margin, margin:-margin]
    assert ((ids >= 0) == (expected >= 0)).mean() > 0.999
    assert np.isfinite(depth[ids >= 0]).all()


@pytest.mark.parametrize("centre", [(5.0, 0.0, 0.5), (0.0, 0.0, -0.5)])
def test_what_is_out_of_view_draws_nothing(centre):
    image = np.full((HEIGHT, WIDTH, 3), 77, np.uint8)
    np.testing.assert_array_equal(shade(image, [Mesh(*sphere(centre, 0.1))], K), image)


def test_no_meshes_leave_the_image():
    image = np.full((HEIGHT, WIDTH, 3), 77, np.uint8)
    for drawn in (shade(image, [], K), side_view([], K, image)):
        np.testing.assert_array_equal(drawn, image)
        assert drawn is not image


@pytest.mark.parametrize("k", [1, 2, 3])
def test_supersampling_does_not_shift_the_image(k):
    """The centre of gravity of a sphere on the axis stays at the principal point."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    mesh = Mesh(*sphere([0.0, 0.0, 0.5], 0.08), (1.0, 1.0, 1.0))
    covered = shade(image, [mesh], K, supersampling=k).max(axis=2) > 40
    v, u = np.nonzero(covered)
    assert abs(u.mean() - 160.0) < 0.15
    assert abs(v.mean() - 120.0) < 0.15


def test_alpha_mixes_the_surface_with_the_image():
    image = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    mesh = [Mesh(*sphere([0.0, 0.0, 0.5], 0.08))]
    solid, half = (shade(image, mesh, K, alpha=a).astype(float) for a in (1.0, 0.5))
    np.testing.assert_allclose(half, (solid + 100.0) / 2.0, atol=1.0)
    np.testing.assert_array_equal(shade(image, mesh, K, alpha=0.0), image)


def test_normals_of_a_sphere_are_radial():
    """Exactly so at a vertex whose neighbours all lie on the sphere, however unevenly."""
    centre = np.array([0.1, 0.2, 0.3])
    vertices, faces = sphere(centre, 2.0)
    # The rings of copies at the poles have no closed fan of faces around them.
    apart = np.abs(vertices[:, 2] - centre[2]) < 1.99
    normals = vertex_normals(vertices, faces)
    np.testing.assert_allclose(normals[apart], (vertices[apart] - centre) / 2.0, atol=1e-9)


def test_the_side_view_turns_right_into_near():
    """Of two spheres side by side, the right one hides the left one from the right."""
    left, right = (sphere([x, 0.0, 0.5], 0.05, rings=16) for x in (-0.1, 0.1))
    blank = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    drawn = side_view([Mesh(*left, (0.1, 0.1, 1.0)), Mesh(*right, (1.0, 0.1, 0.1))], K, blank)
    assert drawn[120, 160, 0] > drawn[120, 160, 2]
    assert (drawn[..., 2].astype(int) > drawn[..., 0]).sum() == 0


@pytest.mark.parametrize("handedness", list(Handedness))
def test_the_forearm_continues_the_surface(handedness):
    """Every edge is shared but those at the elbow, and the whole faces out."""
    model = HandModel.default()
    vertices = model.v_template @ (MIRROR if handedness is Handedness.LEFT else np.eye(3))
    mesh = with_forearm(vertices, model.faces, handedness, np.full((778, 3), 0.5))
    edges = {(int(f[k]), int(f[(k + 1) % 3])) for f in mesh.faces for k in range(3)}
    unshared = [a for a, b in edges if (b, a) not in edges]
    assert len(edges) == 3 * len(mesh.faces)
    assert sorted(unshared) == list(range(len(mesh.vertices) - 16, len(mesh.vertices)))
    # The arm goes on where the fingers do not point, away from the hand.
    away = 1.0 if handedness is Handedness.RIGHT else -1.0
    assert (away * mesh.vertices[-16:, 0] > 0.3).all()
    skin = closed_faces(model.faces)
    hand = vertex_normals(vertices, mirrored_faces(skin) if handedness is Handedness.LEFT else skin)
    arm = vertex_normals(mesh.vertices, mesh.faces)[:778]
    ring = np.isin(np.arange(778), skin[-14:])
    np.testing.assert_allclose(arm[~ring], hand[~ring], atol=1e-9)


def test_a_skeleton_is_drawn_where_its_joints_are():
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    keypoints = np.stack([20.0 + 13.0 * np.arange(21), 120.0 + 40.0 * np.sin(np.arange(21))], 1)
    drawn = draw_skeleton(image, keypoints)
    assert image.max() == 0
    for u, v in np.round(keypoints).astype(int):
        assert drawn[v, u].max() > 100


def test_joints_that_cannot_be_drawn_are_left_out():
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    keypoints = np.full((21, 2), np.nan)
    np.testing.assert_array_equal(draw_skeleton(image, keypoints), image)
    keypoints[5:] = [1e12, -np.inf]
    keypoints[0] = [50.0, 60.0]
    drawn = draw_skeleton(image, keypoints)
    assert drawn[60, 50].max() > 100
    assert (drawn.max(axis=2) > 0).sum() < 60
