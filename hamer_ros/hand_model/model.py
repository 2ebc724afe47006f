"""A hand model in MANO's format: a template mesh, its directions of shape and its skinning weights.

The packaged model is *not* MANO.  It is a procedural hand of this project's own (made by
``tools/hand_model_generation``) that shares MANO's numbers of vertices, faces and joints, its
vertex ids of the wrist and fingertips, its frame and its field names.  Its betas mean something
else, so every result carries the name of the model it was made with.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from os import PathLike

import numpy as np

from hamer_ros.errors import FileFormatError
from hamer_ros.files.kinds import user_file
from hamer_ros.hand_model import topology

_SHAPES = {
    "v_template": (topology.N_VERTICES, 3),
    "shapedirs": (topology.N_VERTICES, 3, topology.N_BETAS),
    "posedirs": (topology.N_VERTICES, 3, topology.N_POSE_FEATURES),
    "J_regressor": (topology.N_SKELETON, topology.N_VERTICES),
    "weights": (topology.N_VERTICES, topology.N_SKELETON),
    "f": (topology.N_FACES, 3),
    "kintree_table": (2, topology.N_SKELETON),
}
"""Shape of every field that is read, under its name in MANO's files."""

FIELDS = tuple(_SHAPES)
"""Names of the fields."""

_WEIGHT_TOLERANCE = 1e-3
"""Error of the sum of a vertex's skinning weights, which is 1; MANO's own are rounded."""

_GROWTH_TOLERANCE = 1e-6
"""Metres; error up to which shape coefficients are said to give a hand of twice the size."""


@dataclass(frozen=True, eq=False)
class HandModel:
    """The right hand; a left hand is its mirror image in x.

    name: says which model it is, in messages and files.
    v_template: (778, 3) metres, the mean hand at rest in MANO's frame: fingers along -x, thumb
        on +z, palm facing -y.
    shapedirs: (778, 3, 10) metres per unit of beta.
    posedirs: (778, 3, 135) metres per unit of pose feature.
    joint_regressor: (16, 778), skeleton joints = joint_regressor @ shaped vertices.
    weights: (778, 16) skinning weights, not negative, each row summing to 1.
    faces: (1538, 3) int32, counter-clockwise seen from outside; the wrist is open.
    parents: of the 16 skeleton joints, -1 for the wrist.
    """

    name: str
    v_template: np.ndarray
    shapedirs: np.ndarray
    posedirs: np.ndarray
    joint_regressor: np.ndarray
    weights: np.ndarray
    faces: np.ndarray
    parents: tuple[int, ...]

    @cached_property
    def has_pose_correctives(self) -> bool:
        """True if any entry of posedirs differs from zero."""
        return bool(np.any(self.posedirs))

    @cached_property
    def growth(self) -> np.ndarray | None:
        """The shape coefficients (10,) that add the mean hand to itself: twice the size, at rest.

        With these, g, a hand of shape beta grows by a factor s to that of s beta + (s - 1) g,
        relative to its wrist and in every pose.  None where there are none: growth does not lie in
        the space of shapes, as in MANO, or pose correctives would not grow along.
        """
        if self.has_pose_correctives:
            return None
        # About any point: the hand is held at its wrist.
        moves = np.tile(np.eye(3), (topology.N_VERTICES, 1))
        directions = np.concatenate([self.shapedirs.reshape(-1, topology.N_BETAS), moves], axis=1)
        solution = np.linalg.lstsq(directions, self.v_template.ravel(), rcond=None)[0]
        error = np.abs(directions @ solution - self.v_template.ravel()).max()
        return solution[: topology.N_BETAS] if error < _GROWTH_TOLERANCE else None

    @classmethod
    def from_fields(cls, name: str, fields: Mapping[str, np.ndarray], source: str) -> HandModel:
        """Make a model of dense arrays under MANO's field names.

        source: where the fields come from, for the messages.

        Raises:
            FileFormatError: a field is missing or unusable; the text names the source, the field,
                what was found and what was expected.
        """
        arrays = {field: _checked(fields, field, source) for field in _SHAPES}
        faces, weights = arrays["f"], arrays["weights"]
        if faces.min() < 0 or faces.max() >= topology.N_VERTICES:
            raise FileFormatError(
                f"{source}: field 'f' holds vertex ids {faces.min():.0f} to {faces.max():.0f}, "
                f"expected 0 to {topology.N_VERTICES - 1}"
            )
        if weights.min() < 0.0 or np.abs(weights.sum(axis=1) - 1.0).max() > _WEIGHT_TOLERANCE:
            raise FileFormatError(
                f"{source}: field 'weights' has rows that sum to {weights.sum(axis=1).min():.4f} "
                f"up to {weights.sum(axis=1).max():.4f} and a least entry of {weights.min():.4f}, "
                "expected rows that sum to 1 and no negative entry"
            )
        # The root's parent is stored as 2^32 - 1, being -1 in an unsigned type.
        parents = (-1, *(int(parent) for parent in arrays["kintree_table"][0, 1:]))
        if parents != topology.PARENTS:
            raise FileFormatError(
                f"{source}: field 'kintree_table' holds the parents {parents}, "
                f"expected {topology.PARENTS}"
            )
        return cls(
            name=name,
            v_template=arrays["v_template"],
            shapedirs=arrays["shapedirs"],
            posedirs=arrays["posedirs"],
            joint_regressor=arrays["J_regressor"],
            weights=weights,
            faces=faces.astype(np.int32),
            parents=parents,
        )

    @classmethod
    def load(cls, path: str | PathLike[str]) -> HandModel:
        """Read an .npz file with MANO's field names; its ``name``, if any, becomes the model's.

        Raises:
            MissingFileError: there is no such file.
            ConfigurationError: it may not be read.
            FileFormatError: a file of another kind or content.
        """
        path = user_file(path, "an .npz file of a hand model")
        try:
            with np.load(path, allow_pickle=False) as archive:
                names = [*_SHAPES, "name"]
                fields = {field: archive[field] for field in names if field in archive}
        except (ValueError, zipfile.BadZipFile, TypeError, AttributeError) as error:
            raise FileFormatError(f"{path}: not an .npz file of plain arrays ({error})") from error
        name = str(fields["name"]) if "name" in fields else path.stem
        return cls.from_fields(name, fields, str(path))

    @classmethod
    def default(cls) -> HandModel:
        """Load the packaged procedural hand, in MANO's format but not MANO."""
        packaged = resources.files("hamer_ros.hand_model") / "data" / "hand.npz"
        with resources.as_file(packaged) as path:
            return cls.load(path)


def _checked(fields: Mapping[str, np.ndarray], field: str, source: str) -> np.ndarray:
    """The field as a contiguous finite float64 array of the expected shape.

    Raises:
        FileFormatError: it is missing or something else.
    """
    if field not in fields:
        raise FileFormatError(
            f"{source}: field '{field}' is missing, expected shape {_SHAPES[field]}"
        )
    try:
        array = np.ascontiguousarray(fields[field], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"{source}: field '{field}' holds no numbers ({error})") from error
    if array.shape != _SHAPES[field]:
        raise FileFormatError(
            f"{source}: field '{field}' has shape {array.shape}, expected {_SHAPES[field]}"
        )
    if not np.isfinite(array).all():
        raise FileFormatError(f"{source}: field '{field}' holds values that are not finite")
    return array
