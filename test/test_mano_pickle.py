"""MANO_RIGHT.pkl is read without the packages it was written with, and runs nothing."""

from __future__ import annotations

import os
import pickle
import sys
import types

import numpy as np
import pytest

from hamer_ros.bench.golden import mano_fields
from hamer_ros.hand_model.mano_pickle import load_mano

# Stand-ins for the packages the official file was written with, by the names it has for them.


class ChumpyArray:
    __module__, __qualname__ = "chumpy.ch", "Ch"

    def __init__(self, x):
        self.x = x


class ChumpySelect(ChumpyArray):
    __module__, __qualname__ = "chumpy.reordering", "Select"

    def __init__(self, a, idxs, shape):
        self.a, self.idxs, self.preferred_shape = ChumpyArray(a), idxs, shape


class Csc:
    __module__, __qualname__ = "scipy.sparse.csc", "csc_matrix"

    def __init__(self, dense):
        columns, rows = np.nonzero(dense.T)
        self.data, self.indices = dense[rows, columns], rows.astype(np.int32)
        self.indptr = np.searchsorted(columns, np.arange(dense.shape[1] + 1)).astype(np.int32)
        self._shape, self.maxprint = dense.shape, 50


def official_like(fields: dict) -> dict:
    """The fields in the dress of the official file."""
    padded = np.concatenate([fields["shapedirs"], np.full((778, 3, 10), 9.0)], axis=2)
    chosen = np.arange(padded.size).reshape(padded.shape)[..., :10].ravel()
    return {
        **fields,
        "shapedirs": ChumpySelect(padded, chosen, (778, 3, 10)),
        "J_regressor": Csc(fields["J_regressor"]),
        "hands_mean": np.zeros(45),
        "bs_style": "lbs",
    }


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Pickles under the official class names, whose modules are gone afterwards."""

    def writer(content, name="MANO_RIGHT.pkl", protocol=2):
        path = tmp_path / name
        with monkeypatch.context() as patch:
            for cls in (ChumpyArray, ChumpySelect, Csc):
                package, _, _ = cls.__module__.partition(".")
                module = types.ModuleType(cls.__module__)
                setattr(module, cls.__qualname__, cls)
                if package not in sys.modules:
                    patch.setitem(sys.modules, package, types.ModuleType(package))
                patch.setitem(sys.modules, cls.__module__, module)
            path.write_bytes(pickle.dumps(content, protocol=protocol))
        return path

    return writer


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_the_official_form_gives_every_field(write, protocol):
    fields = mano_fields()
    path = write(official_like(fields), protocol=protocol)
    content = path.read_bytes()
    assert b"Select" in content
    assert b"csc_matrix" in content
    model = load_mano(path)
    assert model.name == "MANO_RIGHT"
    np.testing.assert_array_equal(model.v_template, fields["v_template"])
    np.testing.assert_array_equal(model.shapedirs, fields["shapedirs"])
    np.testing.assert_array_equal(model.posedirs, fields["posedirs"])
    np.testing.assert_array_equal(model.joint_regressor, fields["J_regressor"])
    np.testing.assert_allclose(model.weights, fields["weights"], atol=1e-15)
    np.testing.assert_array_equal(model.faces, fields["f"])
    assert "chumpy.ch" not in sys.modules


def test_scipys_own_matrix_is_read_as_well(write):
    sparse = pytest.importorskip("scipy.sparse")
    fields = mano_fields()
    matrix = sparse.csc_matrix(fields["J_regressor"])
    model = load_mano(write({**fields, "J_regressor": matrix}))
    np.testing.assert_array_equal(model.joint_regressor, matrix.toarray())


def test_the_left_hand_is_refused(write):
    fields = mano_fields()
    mirrored = fields["v_template"] * [-1, 1, 1]
    path = write(official_like({**fields, "v_template": mirrored}), "MANO_LEFT.pkl")
    with pytest.raises(ValueError, match=r"MANO_LEFT\.pkl: this is a left hand's model"):
        load_mano(path)


class Attack:
    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


@pytest.mark.parametrize(
    ("function", "named"), [(os.system, "system"), (exec, "exec"), (getattr, "getattr")]
)
def test_a_pickle_that_runs_code_is_refused_by_name(write, tmp_path, function, named):
    mark = tmp_path / "ran"
    command = {
        os.system: (f"touch {mark}",),
        exec: (f"open({str(mark)!r}, 'w')",),
        getattr: ("text", "upper"),
    }[function]
    path = write({**mano_fields(), "hands_mean": Attack(function, *command)})
    with pytest.raises(ValueError, match=rf"MANO_RIGHT\.pkl: .*\.{named}, .* was not loaded"):
        load_mano(path)
    assert not mark.exists()
    pickle.loads(path.read_bytes())
    assert mark.exists() or function is getattr, "the attack is not one"


def test_only_what_makes_arrays_is_allowed_of_numpy(write):
    for attack in (
        Attack(pickle.loads, b"x"),
        Attack(np.load, "x"),
        Attack(np.testing.measure, "1"),
    ):
        with pytest.raises(ValueError, match=r"it asks for \w+.* and could run anything"):
            load_mano(write({**mano_fields(), "hands_mean": attack}))


@pytest.mark.parametrize("missing", ["shapedirs", "J_regressor", "f"])
def test_a_missing_field_is_named(write, missing):
    fields = {name: array for name, array in mano_fields().items() if name != missing}
    with pytest.raises(ValueError, match=rf"MANO_RIGHT\.pkl: field '{missing}' is missing"):
        load_mano(write(fields))


def test_other_files_are_refused_with_their_path(tmp_path, write):
    path = tmp_path / "MANO_RIGHT.pkl"
    with pytest.raises(FileNotFoundError, match=r"MANO_RIGHT\.pkl"):
        load_mano(path)
    for content in (b"", b"<!DOCTYPE html><html>", b"PK\3\4zip", bytes(range(256))):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"MANO_RIGHT\.pkl: not MANO's pickle"):
            load_mano(path)
    complete = write(official_like(mano_fields())).read_bytes()
    path.write_bytes(complete[: len(complete) // 2])
    with pytest.raises(ValueError, match=r"MANO_RIGHT\.pkl: not MANO's pickle"):
        load_mano(path)
    with pytest.raises(ValueError, match=r"MANO_RIGHT\.pkl: holds a list"):
        load_mano(write([1, 2]))
