"""Read MANO_RIGHT.pkl as it is downloaded, or as people have cleaned it, without chumpy or scipy.

The official file is a pickle of Python 2.  Beside numpy arrays it holds a scipy matrix (the
regressor) and a chumpy expression (the shape directions, a choice from a larger array).  Cleaned
files hold plain arrays, sparse matrices of other formats and versions, or are .npz.  Of what is not
an array only the attributes are read, and turned into arrays here.
"""

from __future__ import annotations

import _codecs
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np
from numpy.lib import format as npy

from hamer_ros.errors import FileFormatError
from hamer_ros.files.kinds import NPZ, PICKLE, UNKNOWN, ZIP, refusal, user_file, what_is
from hamer_ros.files.restricted_pickle import RestrictedUnpickler
from hamer_ros.hand_model.model import FIELDS, HandModel
from hamer_ros.hand_model.topology import FINGERTIP_VERTICES, N_VERTICES

_WANTED = "MANO's right hand (MANO_RIGHT.pkl)"

_BODIES = {
    6890: "SMPL or SMPL-H, bodies",
    10475: "SMPL-X, a body",
    5023: "FLAME, a head",
}
"""Models of the same format by their number of vertices."""

_LARGEST = 10_000_000
"""Entries of a matrix; the largest of MANO's has 315,090."""


def load_mano(path: str | PathLike[str]) -> HandModel:
    """Read the right hand's model from a pickle or an .npz.

    An .npz may name its model in a field ``name``, or else has the file's name.

    Raises:
        MissingFileError: there is no such file.
        ConfigurationError: it may not be read.
        FileFormatError: another kind of file, a pickle that asks for code to be run, fields
            missing or of another shape, another model, and the left hand's.
    """
    path = user_file(path, _WANTED)
    kind = what_is(path)
    if kind == NPZ:
        content, name = _read_npz(path), path.stem
    elif kind in (PICKLE, UNKNOWN):
        content, name = _read_pickle(path, kind), "MANO_RIGHT"
    else:
        raise refusal(path, _WANTED, _where_inside(path) if kind == ZIP else "")
    try:
        fields = {name: _dense(content[name]) for name in FIELDS if name in content}
        if kind == NPZ and "name" in content:
            name = str(_dense(content["name"]))
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise FileFormatError(f"{path}: a field cannot be read: {error}") from error
    _check_is_a_hand(fields, content, path)
    model = HandModel.from_fields(name, fields, str(path))
    _check_is_right(model, path)
    return model


def _read_pickle(path: Path, kind: str) -> Mapping[Any, Any]:
    with path.open("rb") as file:
        try:
            content = _ManoUnpickler(file, encoding="latin1").load()
        # A file that is no pickle fails in whatever way its first bytes happen to mean.
        except Exception as error:
            if kind != PICKLE:
                raise refusal(path, _WANTED) from error
            raise FileFormatError(f"{path}: not MANO's pickle: {error}") from error
    if not isinstance(content, dict):
        raise FileFormatError(f"{path}: holds a {type(content).__name__}, expected fields by name")
    return content


def _read_npz(path: Path) -> Mapping[Any, Any]:
    """The fields of an archive; objects in it, such as sparse matrices, as in a pickle."""
    content = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                name = member.removesuffix(".npy")
                if name in (*FIELDS, "name"):
                    with archive.open(member) as file:
                        content[name] = _read_npy(file)
    # What zipfile, numpy and pickle raise for damaged files depends on where the damage is.
    except Exception as error:
        raise FileFormatError(f"{path}: a field cannot be read: {error}") from error
    return content


def _read_npy(file: IO[bytes]) -> Any:
    version = npy.read_magic(file)
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    _, _, dtype = read_header(file)
    if dtype.hasobject:
        return _ManoUnpickler(file, encoding="latin1").load()
    file.seek(0)
    return npy.read_array(file, allow_pickle=False)


def _where_inside(path: Path) -> str:
    """The words to unpack the hand from an archive; none where it is not in it."""
    with zipfile.ZipFile(path) as archive:
        inside = [name for name in archive.namelist() if name.endswith("MANO_RIGHT.pkl")]
    return f"unpack it and give {inside[0]}" if inside else ""


def _check_is_a_hand(
    fields: Mapping[str, np.ndarray], content: Mapping[Any, Any], path: Path
) -> None:
    """Refuse, by their names, other files that come with MANO or have its format."""
    if not fields:
        names = ", ".join(str(key) for key in [*content][:8])
        raise FileFormatError(
            f"{path}: none of MANO's fields is in it, but: {names or 'nothing'}; give {_WANTED}"
        )
    vertices = np.shape(fields.get("v_template", ()))[:1]
    if vertices and vertices[0] in _BODIES:
        raise FileFormatError(
            f"{path}: field 'v_template' has {vertices[0]} vertices, as {_BODIES[vertices[0]]}; "
            f"MANO's hand has {N_VERTICES}: give {_WANTED}"
        )


def _check_is_right(model: HandModel, path: Path) -> None:
    """Refuse the left hand: both models share all ids, but its fingers point along +x, not -x."""
    wrist = model.joint_regressor[0] @ model.v_template
    reach = model.v_template[FINGERTIP_VERTICES["middle"], 0] - wrist[0]
    if reach >= 0.0:
        raise FileFormatError(
            f"{path}: this is a left hand's model (its middle finger ends {reach:+.3f} m along x "
            "from the wrist; a right hand's reaches along -x); give MANO_RIGHT.pkl, which serves "
            "both hands"
        )


class _Expression:
    """Stand-in for chumpy.ch.Ch: an array ``x``."""

    x: Any


class _Selection(_Expression):
    """Stand-in for chumpy.reordering.Select: elements ``idxs`` of ``a``, in ``preferred_shape``."""

    a: Any
    idxs: Any
    preferred_shape: Any


class _SparseMatrix:
    """Stand-in for a matrix or array of scipy.sparse."""

    data: Any
    _shape: Any

    def places(self) -> tuple[Any, Any]:
        """The rows and columns of the entries of ``data``."""
        raise NotImplementedError

    def dense(self) -> np.ndarray:
        """The matrix with its zeros.

        Raises:
            ValueError: it is larger than any of MANO's.
        """
        n_rows, n_columns = (int(n) for n in self._shape)
        if not 0 <= n_rows * n_columns <= _LARGEST:
            raise ValueError(f"a sparse matrix is {n_rows} x {n_columns}")
        matrix = np.zeros((n_rows, n_columns))
        # Entries given twice count twice.
        np.add.at(matrix, self.places(), self.data)
        return matrix


class _ColumnMatrix(_SparseMatrix):
    """Stand-in for csc: column j holds data[indptr[j]:indptr[j + 1]], in rows indices."""

    indices: Any
    indptr: Any

    def places(self) -> tuple[Any, Any]:
        """The rows and columns of the entries of ``data``."""
        return self.indices, np.repeat(np.arange(self._shape[1]), np.diff(self.indptr))


class _RowMatrix(_ColumnMatrix):
    """Stand-in for csr: the same with rows and columns exchanged."""

    def places(self) -> tuple[Any, Any]:
        """The rows and columns of the entries of ``data``."""
        return np.repeat(np.arange(self._shape[0]), np.diff(self.indptr)), self.indices


class _CoordinateMatrix(_SparseMatrix):
    """Stand-in for coo: ``coords`` since scipy 1.13, ``row`` and ``col`` before."""

    coords: Any
    row: Any
    col: Any

    def places(self) -> tuple[Any, Any]:
        """The rows and columns of the entries of ``data``."""
        rows, columns = self.coords if "coords" in vars(self) else (self.row, self.col)
        return rows, columns


def _dense(value: Any) -> np.ndarray:
    if isinstance(value, _SparseMatrix):
        return value.dense()
    if isinstance(value, _Selection):
        return _dense(value.a).ravel()[_dense(value.idxs)].reshape(value.preferred_shape)
    if isinstance(value, _Expression):
        return _dense(value.x)
    if isinstance(value, np.ndarray) and value.dtype.hasobject and value.size == 1:
        return _dense(value.item())  # numpy.savez wraps so what is not an array
    return np.asarray(value)


_SPARSE = {"csc": _ColumnMatrix, "csr": _RowMatrix, "coo": _CoordinateMatrix}


def _new_object(cls: type, *_: object) -> object:
    """Stand-in for copyreg._reconstructor, by which the oldest pickle protocols make objects."""
    if cls not in (_Expression, _Selection, *_SPARSE.values()):
        raise TypeError(f"cannot make a {cls}")
    return cls()


def _no_bytes() -> bytes:
    """Stand-in for bytes(), which Python 3 writes for Python 2 where an array is empty."""
    return b""


def _array_of_buffer(
    buffer: Any, dtype: Any, shape: Any, order: Any, axis_order: Any = None
) -> np.ndarray:
    """Stand-in for numpy's _frombuffer, by which protocol 5 makes arrays."""
    array = np.frombuffer(buffer, dtype=dtype)
    if order == "K" and axis_order is not None:
        return array.reshape(shape).transpose(axis_order)
    return array.reshape(shape, order=order)


# The functions by which numpy unpickles arrays and numbers; their module's name has changed.
_rebuild_array: Any = np.empty(0).__reduce__()[0]
_rebuild_number: Any = np.float64(0).__reduce__()[0]


class _ManoUnpickler(RestrictedUnpickler):
    KNOWN: ClassVar[dict[str, Any]] = {
        "numpy.ndarray": np.ndarray,
        "numpy.matrix": np.ndarray,  # what todense() of a sparse matrix gives
        "numpy.matrixlib.defmatrix.matrix": np.ndarray,
        "numpy.dtype": np.dtype,
        **{
            f"numpy.{core}.{name}": function
            for core in ("core", "_core")
            for name, function in (
                ("multiarray._reconstruct", _rebuild_array),
                ("multiarray.scalar", _rebuild_number),
                ("numeric._frombuffer", _array_of_buffer),
            )
        },
        **{
            f"scipy.sparse.{module}.{kind}_{suffix}": cls
            for kind, cls in _SPARSE.items()
            # By scipy's versions: before 1.8, since then, and arrays of 1.8 to 1.10.
            for module in (kind, f"_{kind}", "_arrays")
            for suffix in ("matrix", "array")
        },
        "chumpy.ch.Ch": _Expression,
        "chumpy.reordering.Select": _Selection,
        "collections.OrderedDict": OrderedDict,
        "copyreg._reconstructor": _new_object,
        "builtins.object": object,
        "builtins.bytes": _no_bytes,
        "_codecs.encode": _codecs.encode,  # bytes written by Python 3 for Python 2
    }
