"""Read MANO_RIGHT.pkl as it is downloaded, without chumpy, scipy or smplx.

The file is a pickle of Python 2.  Beside numpy arrays it holds a scipy matrix (the regressor) and a
chumpy expression (the shape directions, a choice from a larger array).  Of those two only the
attributes are read, and turned into arrays here.
"""

from __future__ import annotations

import _codecs
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hamer_ros.hand_model.model import HandModel
from hamer_ros.hand_model.topology import FINGERTIP_VERTICES
from hamer_ros.restricted_pickle import RestrictedUnpickler

_FIELDS = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "f", "kintree_table")


def load_mano(path: str | PathLike[str]) -> HandModel:
    """Read the right hand's model.

    Raises FileNotFoundError, and ValueError that names the path for what is not MANO_RIGHT.pkl:
    another kind of file, a pickle that asks for code to be run, fields missing or of another
    shape, and the left hand's model.
    """
    path = Path(path)
    with path.open("rb") as file:
        try:
            content = _ManoUnpickler(file, encoding="latin1").load()
        # A file that is no pickle fails in whatever way its first bytes happen to mean.
        except Exception as error:
            raise ValueError(f"{path}: not MANO's pickle: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: holds a {type(content).__name__}, expected a dict of fields")
    try:
        fields = {name: _dense(content[name]) for name in _FIELDS if name in content}
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: a field cannot be read: {error}") from error
    model = HandModel.from_fields("MANO_RIGHT", fields, str(path))
    _check_is_right(model, path)
    return model


def _check_is_right(model: HandModel, path: Path) -> None:
    """Refuse the left hand: both models share all ids, but its fingers point along +x, not -x."""
    wrist = model.joint_regressor[0] @ model.v_template
    reach = model.v_template[FINGERTIP_VERTICES["middle"], 0] - wrist[0]
    if reach >= 0.0:
        raise ValueError(
            f"{path}: this is a left hand's model (its middle finger ends {reach:+.3f} m along x "
            "from the wrist; a right hand's reaches along -x); give MANO_RIGHT.pkl, which serves "
            "both hands"
        )


class _Expression:
    """chumpy.ch.Ch: an array ``x``."""

    x: Any


class _Selection(_Expression):
    """chumpy.reordering.Select: the elements ``idxs`` of ``a``, in ``preferred_shape``."""

    a: Any
    idxs: Any
    preferred_shape: Any


class _ColumnMatrix:
    """scipy.sparse.csc_matrix: column j holds data[indptr[j]:indptr[j + 1]], in rows indices."""

    data: Any
    indices: Any
    indptr: Any
    _shape: Any

    def dense(self) -> np.ndarray:
        """The matrix with its zeros."""
        matrix = np.zeros(self._shape)
        columns = np.repeat(np.arange(self._shape[1]), np.diff(self.indptr))
        # Entries given twice count twice.
        np.add.at(matrix, (self.indices, columns), self.data)
        return matrix


def _dense(value: Any) -> np.ndarray:
    if isinstance(value, _ColumnMatrix):
        return value.dense()
    if isinstance(value, _Selection):
        return _dense(value.a).ravel()[_dense(value.idxs)].reshape(value.preferred_shape)
    if isinstance(value, _Expression):
        return _dense(value.x)
    return np.asarray(value)


def _new_object(cls: type, *_: object) -> object:
    """copyreg._reconstructor, by which the oldest pickle protocols make objects."""
    if cls not in (_Expression, _Selection, _ColumnMatrix):
        raise TypeError(f"cannot make a {cls}")
    return cls()


# The functions by which numpy unpickles arrays and numbers; their module's name has changed.
_rebuild_array: Any = np.empty(0).__reduce__()[0]
_rebuild_number: Any = np.float64(0).__reduce__()[0]


class _ManoUnpickler(RestrictedUnpickler):
    KNOWN: ClassVar[dict[str, Any]] = {
        "numpy.ndarray": np.ndarray,
        "numpy.dtype": np.dtype,
        "numpy.core.multiarray._reconstruct": _rebuild_array,
        "numpy._core.multiarray._reconstruct": _rebuild_array,
        "numpy.core.multiarray.scalar": _rebuild_number,
        "numpy._core.multiarray.scalar": _rebuild_number,
        "scipy.sparse.csc.csc_matrix": _ColumnMatrix,
        "scipy.sparse._csc.csc_matrix": _ColumnMatrix,
        "chumpy.ch.Ch": _Expression,
        "chumpy.reordering.Select": _Selection,
        "copyreg._reconstructor": _new_object,
        "builtins.object": object,
        "_codecs.encode": _codecs.encode,  # bytes written by Python 3 for Python 2
    }
