"""HaMeR's checkpoint is read completely or not at all, and nothing in it is run."""

from __future__ import annotations

import collections
import json
import os
import pathlib
import pickle
import subprocess
import sys
import textwrap
import types
import typing
import zipfile

import numpy as np
import pytest

from bench.golden import weight
from hamer_ros.errors import ConfigurationError, FileFormatError, MissingFileError

torch = pytest.importorskip("torch")
from hamer_ros.hamer.checkpoint import load_network  # noqa: E402
from hamer_ros.hamer.decoder import DecoderConfig  # noqa: E402
from hamer_ros.hamer.find_files import check_checkpoint, find_files  # noqa: E402
from hamer_ros.hamer.network import HamerConfig, HamerNetwork  # noqa: E402
from hamer_ros.hamer.torch_backend import TorchBackend  # noqa: E402
from hamer_ros.networks.vision_transformer import ViTConfig  # noqa: E402

SMALL = HamerConfig(
    ViTConfig(64, 48, dim=32, depth=2, heads=4, mlp_dim=64),
    DecoderConfig(dim=24, depth=2, heads=2, head_dim=8, mlp_dim=16, context_dim=32),
)
EXTRA = {
    "initialized": torch.tensor(True),
    "discriminator.D_conv1.weight": torch.zeros(32, 9, 1, 1),
    "mano.faces_tensor": torch.zeros(1538, 3, dtype=torch.int64),
}
CROPS = np.random.default_rng(0).normal(size=(2, 3, 64, 64)).astype(np.float32)


def weights(config: HamerConfig = SMALL) -> dict:
    with torch.device("meta"):
        shapes = {key: tuple(v.shape) for key, v in HamerNetwork(config).state_dict().items()}
    return {key: torch.from_numpy(weight(key, shape)) for key, shape in shapes.items()}


def checkpoint(path, state, **rest):
    """Write what Lightning writes."""
    lightning = {"epoch": 3, "global_step": 7, "pytorch-lightning_version": "2.1.2"}
    torch.save({**lightning, "state_dict": collections.OrderedDict(state), **rest}, path)
    return path


def outputs(network):
    return TorchBackend(network)(CROPS)


@pytest.fixture(scope="module")
def expected():
    with torch.device("meta"):
        network = HamerNetwork(SMALL)
    network.load_state_dict(weights(), assign=True)
    return outputs(network)


def assert_same(network, expected):
    found = outputs(network)
    for name in ("global_orient", "hand_pose", "betas", "camera"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


# What is right


def test_the_official_network_has_the_official_keys():
    with torch.device("meta"):
        network = HamerNetwork(HamerConfig())
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    assert sum(key.startswith("backbone.") for key in shapes) == 389
    assert sum(key.startswith("mano_head.") for key in shapes) == 114
    assert len(shapes) == 389 + 114
    assert sum(p.numel() for p in network.parameters()) == 670_409_837
    assert shapes["backbone.pos_embed"] == (1, 193, 1280)
    assert shapes["backbone.blocks.31.attn.qkv.weight"] == (3840, 1280)
    decoder = "mano_head.transformer.transformer.layers.5"
    assert shapes[f"{decoder}.0.fn.to_qkv.weight"] == (1536, 1024)
    assert shapes[f"{decoder}.1.fn.to_kv.weight"] == (1024, 1280)
    assert shapes[f"{decoder}.1.fn.to_out.0.bias"] == (1024,)
    assert shapes[f"{decoder}.2.fn.net.3.weight"] == (1024, 1024)


def test_weights_arrive_and_leftovers_of_the_training_are_passed_over(tmp_path, expected):
    network = load_network(checkpoint(tmp_path / "hamer.ckpt", {**weights(), **EXTRA}), SMALL)
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())
    assert_same(network, expected)


def test_parameters_saved_as_such_are_weights_too(tmp_path, expected):
    state = {key: torch.nn.Parameter(value) for key, value in weights().items()}
    assert_same(load_network(checkpoint(tmp_path / "hamer.ckpt", state), SMALL), expected)


# Stand-ins for the classes of configurations, each by the name that it has in a checkpoint.


class CfgNode(dict):
    __module__, __qualname__ = "yacs.config", "CfgNode"


class AttributeDict(dict):
    __module__, __qualname__ = "pytorch_lightning.utilities.parsing", "AttributeDict"


class Metadata:
    __module__, __qualname__ = "omegaconf.base", "Metadata"

    def __init__(self, **fields):
        self.__dict__.update(fields)


class ListConfig:
    __module__, __qualname__ = "omegaconf.listconfig", "ListConfig"

    def __init__(self, content):
        self._content = content

    def __iter__(self):
        raise AssertionError("a live object was asked")


class DictConfig(ListConfig):
    __module__, __qualname__ = "omegaconf.dictconfig", "DictConfig"

    def __getstate__(self):
        return self.__dict__

    def __setstate__(self, state):
        raise AssertionError("code of the configuration's package was run")


def yacs_config():
    node = CfgNode(MODEL=CfgNode(IMAGE_SIZE=256, MEAN=[0.485, 0.456]), NAME="x")
    node.__dict__["__immutable__"] = True
    return node


def omegaconf_config():
    metadata = Metadata(
        ref_type=typing.Any, object_type=dict, key_type=int, resolver_cache={},
        flags=collections.defaultdict(dict, a={}),
    )  # fmt: skip
    return DictConfig({"a": ListConfig([1, 2]), "_metadata": metadata})


CONFIGS = {
    "yacs": lambda: {"cfg": yacs_config()},
    "lightning": lambda: AttributeDict(cfg=yacs_config(), init_renderer=True),
    "omegaconf": lambda: {"cfg": omegaconf_config()},
    "odds and ends": lambda: {
        "out": pathlib.PurePosixPath("a"), "lr": np.float64(1e-5), "means": np.zeros(3),
        "kind": {1, 2}, "blob": b"\1\2", "number": 1j, "shape": torch.Size([1, 2]),
        "steps": collections.OrderedDict(a=1), "device": torch.device("cpu"),
    },
}  # fmt: skip


@pytest.fixture
def packages(monkeypatch):
    """Let the stand-ins be pickled; outside of this context, their modules do not exist."""

    def context():
        patch = monkeypatch.context()
        with patch as inside:
            for cls in (CfgNode, AttributeDict, Metadata, ListConfig, DictConfig):
                name = cls.__module__
                for parent in (name[:i] for i in range(len(name)) if name[i] == "."):
                    inside.setitem(sys.modules, parent, types.ModuleType(parent))
                module = sys.modules.get(name) or types.ModuleType(name)
                setattr(module, cls.__qualname__, cls)
                inside.setitem(sys.modules, name, module)
            yield

    return context


@pytest.mark.parametrize("kind", CONFIGS)
def test_hyper_parameters_of_any_package_are_passed_over(tmp_path, packages, expected, kind):
    for _ in packages():
        path = checkpoint(
            tmp_path / "hamer.ckpt", {**weights(), **EXTRA}, hyper_parameters=CONFIGS[kind]()
        )
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)  # so that this is worth a test
    assert_same(load_network(path, SMALL), expected)
    assert not {"yacs", "omegaconf", "pytorch_lightning"} & set(sys.modules)


# What is wrong


def test_every_difference_is_listed(tmp_path):
    state = weights()
    del state["mano_head.deccam.bias"]
    state["backbone.extra"] = torch.zeros(2)
    state["backbone.last_norm.weight"] = torch.zeros(31)
    state["mano_head.init_betas"] = torch.zeros(1, 10, dtype=torch.int8)
    state["mano_head.decpose.bias"] = [0.0]
    path = checkpoint(tmp_path / "hamer.ckpt", state)
    with pytest.raises(FileFormatError) as error:
        load_network(path, SMALL)
    text = str(error.value)
    assert text.startswith(f"{path}: 5 of its keys do not fit:")
    for line in (
        "mano_head.deccam.bias: found nothing, expected float32 (3,)",
        "backbone.extra: found float32 (2,), expected nothing",
        "backbone.last_norm.weight: found float32 (31,), expected float32 (32,)",
        "mano_head.init_betas: found int8 (1, 10), expected float32 (1, 10)",
        "mano_head.decpose.bias: found a list, expected float32 (96,)",
    ):
        assert f"\n  {line}" in text


def test_a_transformer_of_another_size_is_called_that(tmp_path):
    other = HamerConfig(
        ViTConfig(64, 48, dim=16, depth=3, heads=4, mlp_dim=64),
        DecoderConfig(dim=24, depth=2, heads=2, head_dim=8, mlp_dim=16, context_dim=16),
    )
    path = checkpoint(tmp_path / "hamer.ckpt", weights(other))
    match = r"hamer\.ckpt: its vision transformer has 3 blocks of width 16, expected 2 blocks of w"
    with pytest.raises(FileFormatError, match=match) as error:
        load_network(path, SMALL)
    assert "more" in str(error.value)
    assert len(str(error.value).splitlines()) < 20


class Attack:
    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


@pytest.mark.parametrize("function", [os.system, exec, eval])
@pytest.mark.parametrize("place", ["hyper_parameters", "state_dict", "inside a configuration"])
def test_a_checkpoint_that_runs_code_is_refused_by_name(tmp_path, packages, function, place):
    mark = tmp_path / "ran"
    command = f"touch {mark}" if function is os.system else f"open({str(mark)!r}, 'w').close()"
    attack = Attack(function, command)
    state, rest = weights(), {}
    for _ in packages():
        if place == "state_dict":
            state["mano.attack"] = attack
        elif place == "hyper_parameters":
            rest["hyper_parameters"] = attack
        else:
            rest["hyper_parameters"] = CfgNode(MODEL=CfgNode(x=attack))
        path = checkpoint(tmp_path / "hamer.ckpt", state, **rest)
        with pytest.raises(FileFormatError, match=rf"hamer\.ckpt: .*\.{function.__name__}, .* not"):
            load_network(path, SMALL)
        assert not mark.exists()
        torch.load(path, weights_only=False)
        assert mark.exists(), "the attack is not one"


def test_a_function_of_an_inert_package_is_not_called(tmp_path, expected):
    """Everything of numpy is a stand-in here, dangerous functions as well."""
    mark = tmp_path / "ran"
    attack = Attack(np.save, str(mark), [1])
    path = checkpoint(tmp_path / "hamer.ckpt", weights(), hyper_parameters={"a": attack})
    assert_same(load_network(path, SMALL), expected)
    torch.load(path, weights_only=False)
    assert mark.with_suffix(".npy").exists(), "the attack is not one"


def test_a_torchscript_program_is_refused(tmp_path):
    path = tmp_path / "hamer.ckpt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hamer/constants.pkl", pickle.dumps(()))
        archive.writestr("hamer/data.pkl", pickle.dumps({}))
    with pytest.raises(FileFormatError, match=r"hamer\.ckpt: is a TorchScript program"):
        load_network(path, SMALL)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_file_cut_short_is_refused(tmp_path, share):
    path = checkpoint(tmp_path / "hamer.ckpt", weights())
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    kind = "the beginning of a .zip archive or PyTorch checkpoint" if share else "an empty file"
    with pytest.raises(FileFormatError, match=rf"hamer\.ckpt: is {kind}.*: fetch it again"):
        load_network(path, SMALL)


def test_other_files_are_refused_with_their_path(tmp_path):
    path = tmp_path / "hamer.ckpt"
    with pytest.raises(FileNotFoundError, match=r"hamer\.ckpt"):
        load_network(path, SMALL)
    path.write_text("<html>quota exceeded</html>")
    with pytest.raises(FileFormatError, match=r"hamer\.ckpt: is a web page, not a checkpoint"):
        load_network(path, SMALL)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(FileFormatError, match=r"hamer\.ckpt: is a \.zip archive, .*: unpack it"):
        load_network(path, SMALL)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hamer/data.pkl", b"\x80\x02nonsense")
    with pytest.raises(FileFormatError, match=r"hamer\.ckpt: cannot be read as a checkpoint"):
        load_network(path, SMALL)
    torch.save({"epoch": 3, "lr": 1e-4}, path)
    with pytest.raises(FileFormatError, match=r"hamer\.ckpt: holds no weights.*: epoch, lr$"):
        load_network(path, SMALL)
    torch.save([1], path)
    with pytest.raises(FileFormatError, match=r"holds no weights.*: a list$"):
        load_network(path, SMALL)
    path.unlink()
    path.mkdir()
    with pytest.raises(FileFormatError, match=r"hamer\.ckpt: is a folder, not a checkpoint"):
        load_network(path, SMALL)


def test_a_path_may_be_written_as_in_a_shell(tmp_path, monkeypatch, expected):
    checkpoint(tmp_path / "hamer.ckpt", weights())
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for path in ("~/hamer.ckpt", "hamer.ckpt", f"{tmp_path}/hamer.ckpt/"):
        assert_same(load_network(path, SMALL), expected)
    with pytest.raises(MissingFileError, match=rf"^{tmp_path}/none\.ckpt: no such file"):
        load_network("none.ckpt", SMALL)
    with pytest.raises(MissingFileError, match=r"/~nobody-of-that-name/hamer\.ckpt: no "):
        load_network("~nobody-of-that-name/hamer.ckpt", SMALL)


def test_a_checkpoint_that_may_not_be_read_is_called_that(tmp_path, monkeypatch):
    path = checkpoint(tmp_path / "hamer.ckpt", weights())
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may read everything
    with pytest.raises(ConfigurationError, match=r"hamer\.ckpt: may not be read"):
        load_network(path, SMALL)


# What others make of the official file


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "module._orig_mod."])
def test_weights_alone_and_with_the_prefix_of_a_wrapper_are_the_same(tmp_path, expected, prefix):
    state = {prefix + key: value for key, value in weights().items()}
    torch.save(state, tmp_path / "alone.pth")
    assert_same(load_network(tmp_path / "alone.pth", SMALL), expected)
    checkpoint(tmp_path / "hamer.ckpt", {**state, **EXTRA})
    assert_same(load_network(tmp_path / "hamer.ckpt", SMALL), expected)


def test_a_prefix_hides_no_difference(tmp_path):
    state = {f"module.{key}": value for key, value in weights().items()}
    del state["module.mano_head.deccam.bias"]
    with pytest.raises(FileFormatError, match=r"\n  mano_head\.deccam\.bias: found nothing"):
        load_network(checkpoint(tmp_path / "hamer.ckpt", state), SMALL)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_in_half_precision_are_widened(tmp_path, dtype):
    state = {key: value.to(dtype) for key, value in weights().items()}
    network = load_network(checkpoint(tmp_path / "hamer.ckpt", state), SMALL)
    for key, value in network.state_dict().items():
        assert value.dtype is torch.float32
        assert torch.equal(value, weights()[key].to(dtype).float())


def test_the_format_of_old_torch_is_read(tmp_path, expected):
    path = tmp_path / "hamer.ckpt"
    content = {"state_dict": collections.OrderedDict(weights()), "epoch": 3}
    torch.save(content, path, _use_new_zipfile_serialization=False)
    assert path.read_bytes()[:2] == b"\x80\x02"
    assert_same(load_network(path, SMALL), expected)


def test_the_format_of_old_torch_runs_nothing_either(tmp_path):
    path, mark = tmp_path / "hamer.ckpt", tmp_path / "ran"
    content = {"state_dict": weights(), "x": Attack(os.system, f"touch {mark}")}
    torch.save(content, path, _use_new_zipfile_serialization=False)
    with pytest.raises(FileFormatError, match=r"hamer\.ckpt: .*\.system, .* not loaded"):
        load_network(path, SMALL)
    assert not mark.exists()
    torch.load(path, weights_only=False)
    assert mark.exists(), "the attack is not one"


def test_a_head_must_fit_its_backbone():
    with pytest.raises(ValueError, match="features of length 1280, but the backbone's have 32"):
        HamerConfig(SMALL.backbone, DecoderConfig())


# Safetensors


def test_safetensors(tmp_path, expected):
    save_file = pytest.importorskip("safetensors.torch").save_file
    path = tmp_path / "hamer.safetensors"
    save_file(weights(), path)
    assert_same(load_network(path, SMALL), expected)
    save_file({f"model.{key}": value.half() for key, value in weights().items()}, path)
    assert load_network(path, SMALL).backbone.pos_embed.dtype is torch.float32
    # By its content: people rename files.
    save_file(weights(), tmp_path / "hamer.ckpt")
    assert_same(load_network(tmp_path / "hamer.ckpt", SMALL), expected)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FileFormatError, match=r"hamer\.safetensors: not a complete"):
        load_network(path, SMALL)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"hamer\.safetensors"):
        load_network(path, SMALL)


def test_safetensors_without_the_package(tmp_path, monkeypatch):
    (tmp_path / "hamer.safetensors").write_bytes((2).to_bytes(8, "little") + b'{"')
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(MissingFileError, match="pip install safetensors"):
        load_network(tmp_path / "hamer.safetensors", SMALL)


# Memory


@pytest.mark.skipif(not pathlib.Path("/proc/self/status").exists(), reason="needs Linux' /proc")
def test_loading_takes_little_more_memory_than_the_weights(tmp_path):
    """The peak of a process that loads 100 MB and runs them once, from a file twice as large."""
    large = HamerConfig(
        ViTConfig(64, 48, dim=1024, depth=2, heads=4, mlp_dim=4096),
        DecoderConfig(dim=24, depth=2, heads=2, head_dim=8, mlp_dim=16, context_dim=1024),
    )
    state = {k: torch.zeros(v.shape) for k, v in _meta_state(large).items()}
    size = sum(v.numel() * 4 for v in state.values())
    assert size > 100e6
    optimizer = [{"state": {0: {"exp_avg": torch.zeros(size // 4)}}}]
    checkpoint(tmp_path / "hamer.ckpt", state, optimizer_states=optimizer)
    checkpoint(tmp_path / "small.ckpt", weights())
    program = f"""
        import json, sys, time
        import numpy as np
        import torch
        torch.set_num_threads(1)
        from hamer_ros.hamer.checkpoint import load_network
        from hamer_ros.hamer.network import *
        from hamer_ros.hamer.torch_backend import TorchBackend
        from hamer_ros.networks.vision_transformer import ViTConfig
        from hamer_ros.hamer.decoder import DecoderConfig

        def peak():
            status = open("/proc/self/status").read()
            return 1024 * int(status.split("VmHWM:")[1].split()[0])

        crops = np.zeros((1, 3, 64, 64), np.float32)
        TorchBackend(load_network({str(tmp_path / "small.ckpt")!r}, {SMALL!r}))(crops)
        before = peak()
        begin = time.perf_counter()
        network = load_network({str(tmp_path / "hamer.ckpt")!r}, {large!r})
        seconds = time.perf_counter() - begin
        TorchBackend(network)(crops)
        print(json.dumps([peak() - before, seconds]))
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    growth, seconds = json.loads(done.stdout)
    assert 0.5 * size < growth < 1.3 * size
    assert seconds < 2


def _meta_state(config):
    with torch.device("meta"):
        return HamerNetwork(config).state_dict()


# Where the files are


def test_files_are_found_in_the_folder_of_hamers_users_or_one_by_one(tmp_path):
    data = tmp_path / "_DATA"
    ckpt = data / "hamer_ckpts" / "checkpoints" / "hamer.ckpt"
    mano = data / "data" / "mano" / "MANO_RIGHT.pkl"
    with pytest.raises(MissingFileError, match=rf"^{ckpt}: no such file.*github.com/geopavlakos/h"):
        find_files(data)
    ckpt.parent.mkdir(parents=True)
    ckpt.touch()
    with pytest.raises(
        MissingFileError, match=rf"^{mano}: no such file.*mano.is.tue.mpg.de.*regis"
    ):
        find_files(data)
    mano.parent.mkdir(parents=True)
    mano.touch()
    found = find_files(str(data))
    assert (found.checkpoint, found.mano) == (ckpt, mano)
    own = tmp_path / "mine.safetensors"
    with pytest.raises(MissingFileError, match=rf"^{own}: "):
        find_files(data, checkpoint=own)
    own.touch()
    found = find_files(data, checkpoint=own)
    assert (found.checkpoint, found.mano) == (own, mano)
    found = find_files(checkpoint=own, mano=mano)
    assert (found.checkpoint, found.mano) == (own, mano)
    with pytest.raises(ConfigurationError, match=r"mano:=/path/to/MANO_RIGHT\.pkl.*mpg\.de"):
        find_files(checkpoint=own)
    with pytest.raises(ConfigurationError, match=r"checkpoint:=/path/to/_DATA.*geopavlakos"):
        find_files(mano=mano)
    # A folder near the one that is meant.
    for folder in (tmp_path, data / "hamer_ckpts", ckpt.parent):
        ckpt.rename(tmp_path / "kept")
        with pytest.raises(MissingFileError, match=rf"hamer\.ckpt: no .*_DATA is {data}\."):
            find_files(folder)
        (tmp_path / "kept").rename(ckpt)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("hamer_demo_data.tar.gz", b"\x1f\x8b", r"is a \.tar\.gz .*tar -xf .* folder _DATA"),
        ("hamer.ckpt", b"<!DOCTYPE html><html>", "is a web page, .*log in with a browser"),
        ("hamer.ckpt", b"version https://git-lfs.github.com/spec/v1\n", "Git LFS.*git lfs pull"),
        ("hamer.ckpt", b"", "is an empty file"),
    ],
)  # fmt: skip
def test_what_downloads_leave_under_its_name_is_named_without_torch(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileFormatError, match=rf"^{tmp_path}/{name}: .*{said}"):
        check_checkpoint(tmp_path / name)
