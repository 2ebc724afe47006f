"""MANO_RIGHT.pkl is read without the packages it was written with, and runs nothing."""

from __future__ import annotations

import os
import pickle
import sys
import types
import zipfile

import numpy as np
import pytest

from bench.golden import mano_fields
from hamer_ros.errors import FileFormatError, MissingFileError
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
            for cls in (ChumpyArray, ChumpySelect, Csc, OldCsr, OldCoo):
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
    for content, kind in {
        b"": "is an empty file, .*fetch it again",
        b"<!DOCTYPE html><html>Login": "is a web page, .*log in with a browser",
        b"version https://git-lfs.github.com/spec/v1\n": "is a pointer that Git LFS .*git lfs pull",
        b"PK\3\4zip": "is the beginning of a .zip archive",
        b"\x1f\x8b\x08 gz": "is a .gz file, .*unpack it",
        b"\x89PNG\r\n\x1a\n": "is a picture",
        bytes(range(1, 256)): "is a file of no kind that is known here",
    }.items():
        path.write_bytes(content)
        with pytest.raises(FileFormatError, match=rf"MANO_RIGHT\.pkl: {kind}"):
            load_mano(path)
    complete = write(official_like(mano_fields())).read_bytes()
    path.write_bytes(complete[: len(complete) // 2])
    with pytest.raises(FileFormatError, match=r"MANO_RIGHT\.pkl: not MANO's pickle"):
        load_mano(path)
    with pytest.raises(FileFormatError, match=r"MANO_RIGHT\.pkl: holds a list"):
        load_mano(write([1, 2]))
    with pytest.raises(FileFormatError, match=r"is a folder, not MANO's right hand"):
        load_mano(tmp_path)


def test_manos_own_archive_is_named_with_what_lies_in_it(tmp_path):
    with zipfile.ZipFile(tmp_path / "mano_v1_2.zip", "w") as archive:
        archive.writestr("mano_v1_2/models/MANO_LEFT.pkl", b"left")
        archive.writestr("mano_v1_2/models/MANO_RIGHT.pkl", b"right")
    with pytest.raises(FileFormatError, match=r"unpack it and give mano_v1_2/models/MANO_R"):
        load_mano(tmp_path / "mano_v1_2.zip")


@pytest.mark.parametrize(
    ("vertices", "said"), [(6890, "SMPL or SMPL-H"), (10475, "SMPL-X"), (5023, "FLAME")]
)
def test_other_models_of_the_format_are_called_by_their_name(write, vertices, said):
    path = write({**mano_fields(), "v_template": np.zeros((vertices, 3))})
    with pytest.raises(FileFormatError, match=rf"has {vertices} vertices, as {said}, .*has 778"):
        load_mano(path)


def test_a_file_that_comes_with_mano_but_is_no_hand_is_named_by_what_it_holds(write):
    path = write({"left_hand": np.arange(778), "right_hand": np.arange(778)})
    with pytest.raises(FileFormatError, match="but: left_hand, right_hand; give MANO's right hand"):
        load_mano(path)


# What people make of the official file


def assert_is_the_hand(model):
    fields = mano_fields()
    for name, field in (
        ("v_template", "v_template"), ("shapedirs", "shapedirs"), ("posedirs", "posedirs"),
        ("joint_regressor", "J_regressor"), ("weights", "weights"), ("faces", "f"),
    ):  # fmt: skip
        np.testing.assert_allclose(getattr(model, name), fields[field], atol=1e-6, err_msg=field)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("kind", ["csc", "csr", "coo"])
@pytest.mark.parametrize("suffix", ["matrix", "array"])
def test_sparse_matrices_of_every_format_are_read(write, kind, suffix, protocol):
    sparse = pytest.importorskip("scipy.sparse")
    fields = mano_fields()
    matrix = getattr(sparse, f"{kind}_{suffix}")(fields["J_regressor"])
    path = write({**fields, "J_regressor": matrix}, protocol=protocol)
    assert f"{kind}_{suffix}".encode() in path.read_bytes()
    assert_is_the_hand(load_mano(path))


class OldCsr:
    __module__, __qualname__ = "scipy.sparse.csr", "csr_matrix"

    def __init__(self, dense):
        rows, columns = np.nonzero(dense)
        self.data, self.indices = dense[rows, columns], columns.astype(np.int32)
        self.indptr = np.searchsorted(rows, np.arange(dense.shape[0] + 1)).astype(np.int32)
        self._shape, self.maxprint = dense.shape, 50


class OldCoo:
    __module__, __qualname__ = "scipy.sparse.coo", "coo_matrix"

    def __init__(self, dense):
        self.row, self.col = np.nonzero(dense)
        self.data, self._shape = dense[self.row, self.col], dense.shape


@pytest.mark.parametrize("cls", [OldCsr, OldCoo])
def test_sparse_matrices_of_old_scipy_are_read(write, cls):
    fields = mano_fields()
    path = write({**fields, "J_regressor": cls(fields["J_regressor"])})
    assert cls.__module__.encode() in path.read_bytes()
    assert_is_the_hand(load_mano(path))


def test_entries_given_twice_count_twice(write):
    """As scipy has it."""
    fields = mano_fields()
    halves = OldCoo(0.5 * fields["J_regressor"])
    halves.row, halves.col = np.tile(halves.row, 2), np.tile(halves.col, 2)
    halves.data = np.tile(halves.data, 2)
    assert_is_the_hand(load_mano(write({**fields, "J_regressor": halves})))


def test_a_sparse_matrix_of_absurd_size_is_refused(write):
    matrix = OldCoo(np.zeros((16, 778)))
    matrix._shape = (10**9, 10**9)
    with pytest.raises(FileFormatError, match="a sparse matrix is 1000000000 x 1000000000"):
        load_mano(write({**mano_fields(), "J_regressor": matrix}))


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_plain_arrays_are_read(write, protocol, dtype):
    fields = {
        name: array.astype(dtype) if array.dtype.kind == "f" else array
        for name, array in mano_fields().items()
    }
    fields["posedirs"] = np.asfortranarray(fields["posedirs"])
    fields["J_regressor"] = np.asmatrix(fields["J_regressor"])  # what todense() gives
    extra = {"bs_style": "lbs", "bs_type": np.str_("lrotmin"), "hands_mean": np.zeros(45)}
    assert_is_the_hand(load_mano(write({**fields, **extra}, protocol=protocol)))


def test_the_numpy_that_wrote_it_does_not_matter(write):
    """Version 2 has moved its modules."""
    path = write(mano_fields())
    content = path.read_bytes()
    here, there = b"numpy._core", b"numpy.core"
    if here not in content:
        here, there = there, here
    assert here + b".multiarray" in content
    path.write_bytes(content.replace(here + b".multiarray", there + b".multiarray"))
    assert_is_the_hand(load_mano(path))


def test_an_archive_of_arrays_is_read(tmp_path):
    np.savez(tmp_path / "MANO_RIGHT.npz", **mano_fields(), bs_style="lbs")
    model = load_mano(tmp_path / "MANO_RIGHT.npz")
    assert_is_the_hand(model)
    assert model.name == "MANO_RIGHT"
    (tmp_path / "MANO_RIGHT.npz").rename(tmp_path / "renamed.pkl")
    assert_is_the_hand(load_mano(tmp_path / "renamed.pkl"))
    np.savez_compressed(tmp_path / "small.npz", **mano_fields(), name="mine")
    assert load_mano(tmp_path / "small.npz").name == "mine"


def test_objects_in_an_archive_are_read_as_in_a_pickle_and_run_nothing(tmp_path):
    sparse = pytest.importorskip("scipy.sparse")
    fields = mano_fields()
    path = tmp_path / "MANO_RIGHT.npz"
    matrix = np.array(sparse.csc_matrix(fields["J_regressor"]), dtype=object)
    np.savez(path, **{**fields, "J_regressor": matrix, "bs_style": np.array("lbs", object)})
    assert_is_the_hand(load_mano(path))
    mark = tmp_path / "ran"
    attack = np.array(Attack(os.system, f"touch {mark}"), dtype=object)
    np.savez(path, **{**fields, "J_regressor": attack})
    with pytest.raises(FileFormatError, match=r"MANO_RIGHT\.npz: .*\.system, .* was not loaded"):
        load_mano(path)
    assert not mark.exists()
    with np.load(path, allow_pickle=True) as archive:
        _ = archive["J_regressor"]
    assert mark.exists(), "the attack is not one"


def test_a_path_may_be_written_as_in_a_shell(write, tmp_path, monkeypatch):
    write(mano_fields())
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for path in ("~/MANO_RIGHT.pkl", "MANO_RIGHT.pkl", "./MANO_RIGHT.pkl/"):
        assert_is_the_hand(load_mano(path))
    with pytest.raises(MissingFileError, match=rf"^{tmp_path}/gone\.pkl: no such file"):
        load_mano("gone.pkl")
