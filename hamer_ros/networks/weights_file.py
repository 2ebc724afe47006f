"""Read the weights of a network, strictly and without running anything that a file may contain.

HaMeR's official file is one of PyTorch Lightning: beside the weights it carries the configuration
of the training as objects of yacs, omegaconf or Lightning.  Nothing of that is needed; those
objects are read as empty stand-ins, so that none of the three packages is, either.

Weights are mapped from the file into memory and used where they lie: loading takes the time of
opening the file, and its pages are read when the network first runs.  The file must not be written
to while the network is in use.
"""

from __future__ import annotations

import pickle
import types
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn

from hamer_ros.errors import FileFormatError, MissingFileError
from hamer_ros.files.kinds import (
    OLD_PYTORCH,
    ONNX,
    PYTORCH,
    SAFETENSORS,
    TORCHSCRIPT,
    UNKNOWN,
    refusal,
    user_file,
    what_is,
)
from hamer_ros.files.restricted_pickle import Inert, RestrictedUnpickler

_MAX_LISTED = 12

_ANCHOR = "backbone.pos_embed"
"""Name of a weight that there is once in every network read here."""

_WANTED = "a checkpoint of weights"

_DETAILS = {
    TORCHSCRIPT: "give the .ckpt that it was made from",
    ONNX: "choose backend:=onnxruntime or tensorrt, which run it",
}


def read_weights(path: Path) -> Mapping[str, Any]:
    """The weights that a file holds, under 'state_dict' or as a whole, mapped into memory.

    A prefix of all names that a wrapper of the network has left, such as ``module.``, is taken off.

    Raises:
        MissingFileError: there is no such file, or not the package that reads .safetensors.
        ConfigurationError: the file may not be read.
        FileFormatError: a file of another kind, an incomplete one, or one that asks for code to be
            run.
    """
    path = user_file(path, _WANTED)
    kind = what_is(path)
    if kind == SAFETENSORS or (kind == UNKNOWN and path.suffix == ".safetensors"):
        return _without_prefix(_read_safetensors(path))
    return _without_prefix(_read_pickled(path, kind))


def fit(network: nn.Module, weights: Mapping[str, Any], path: Path) -> None:
    """Put weights into a network that was made on the meta device; no gradients from then on.

    weights: those in half precision are widened.
    path: where the weights come from, for the message.

    Raises:
        FileFormatError: keys are missing, unexpected, or of another shape or type.
    """
    expected = network.state_dict()
    weights = {key: _widened(value, expected.get(key)) for key, value in weights.items()}
    problems = list(_differences(weights, expected))
    if problems:
        listed = "\n  ".join(problems[:_MAX_LISTED])
        more = len(problems) - _MAX_LISTED
        rest = f"\n  and {more} more" if more > 0 else ""
        raise FileFormatError(
            f"{path}: {_size_hint(weights, expected)}{len(problems)} of its keys do not fit:\n"
            f"  {listed}{rest}"
        )
    network.load_state_dict(weights, assign=True)
    network.requires_grad_(False).eval()


def _widened(value: object, expected: torch.Tensor | None) -> object:
    """The value, in the network's own type where it is in half precision."""
    if not isinstance(value, torch.Tensor) or expected is None:
        return value
    is_half = value.dtype in (torch.float16, torch.bfloat16)
    return value.to(expected.dtype) if is_half and expected.is_floating_point() else value


def _without_prefix(weights: Mapping[str, Any]) -> Mapping[str, Any]:
    prefixes = {
        str(key).removesuffix(_ANCHOR) for key in weights if str(key).endswith(f".{_ANCHOR}")
    }
    if len(prefixes) != 1 or _ANCHOR in weights:
        return weights
    (prefix,) = prefixes
    return {str(key).removeprefix(prefix): value for key, value in weights.items()}


def _differences(found: Mapping[str, Any], expected: Mapping[str, torch.Tensor]) -> Iterator[str]:
    for key in [*expected, *(key for key in found if key not in expected)]:
        actual = _describe(found[key]) if key in found else "nothing"
        wanted = _describe(expected[key]) if key in expected else "nothing"
        if actual != wanted:
            yield f"{key}: found {actual}, expected {wanted}"


def _describe(value: object) -> str:
    if not isinstance(value, torch.Tensor):
        return f"a {type(value).__name__}"
    return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"


def _size_hint(found: Mapping[str, Any], expected: Mapping[str, torch.Tensor]) -> str:
    """The words that the backbone is of another size; none where it is not."""
    sizes = []
    for weights in (found, expected):
        embedding = weights.get("backbone.pos_embed")
        blocks = {key.split(".")[2] for key in weights if key.startswith("backbone.blocks.")}
        if not isinstance(embedding, torch.Tensor) or not blocks:
            return ""
        sizes.append(f"{len(blocks)} blocks of width {embedding.shape[-1]}")
    if sizes[0] == sizes[1]:
        return ""
    return f"its vision transformer has {sizes[0]}, expected {sizes[1]}; "


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        from safetensors import SafetensorError  # noqa: PLC0415 - an optional package
        from safetensors.torch import load_file  # noqa: PLC0415
    except ImportError as error:
        raise MissingFileError(f"{path}: reading it needs `pip install safetensors`") from error
    try:
        return load_file(path)
    except SafetensorError as error:
        raise FileFormatError(f"{path}: not a complete .safetensors file: {error}") from error


def _read_pickled(path: Path, kind: str) -> Mapping[str, Any]:
    # A TorchScript program would be run by torch.load, past our unpickler.
    if kind not in (PYTORCH, OLD_PYTORCH):
        raise refusal(path, _WANTED, _DETAILS.get(kind, ""))
    try:
        content = torch.load(
            path,
            map_location="cpu",
            mmap=kind == PYTORCH,
            weights_only=False,  # the unpickler that is given here restricts more
            pickle_module=_PICKLE_MODULE,
        )
    except pickle.UnpicklingError as error:
        raise FileFormatError(f"{path}: {error}") from error
    # What torch and pickle raise for damaged files depends on where the damage is.
    except Exception as error:
        raise FileFormatError(f"{path}: cannot be read as a checkpoint: {error!r}") from error
    weights = content.get("state_dict") if isinstance(content, dict) else None
    # Or they were saved alone.
    if weights is None and isinstance(content, dict) and _has_tensor(content):
        weights = content
    if not isinstance(weights, dict) or isinstance(weights, Inert):
        raise FileFormatError(
            f"{path}: holds no weights, neither as 'state_dict' nor as a whole; it holds: "
            f"{_contents(content)}"
        )
    return weights


def _has_tensor(content: Mapping[Any, Any]) -> bool:
    return any(isinstance(value, torch.Tensor) for value in content.values())


def _contents(content: object) -> str:
    if not isinstance(content, dict):
        return f"a {type(content).__name__}"
    names = [str(key) for key in content]
    return ", ".join(names[:_MAX_LISTED]) + (", ..." if len(names) > _MAX_LISTED else "")


def _rebuild_tensor(*arguments: Any) -> torch.Tensor:
    return torch._utils._rebuild_tensor_v2(*arguments)


def _rebuild_oldest_tensor(*arguments: Any) -> torch.Tensor:
    return torch._utils._rebuild_tensor(*arguments)


def _rebuild_parameter(data: torch.Tensor, *_: object) -> torch.Tensor:
    return data


_INERT_PACKAGES = (
    *(
        "yacs",
        "omegaconf",
        "lightning",
        "lightning_fabric",
        "pytorch_lightning",
        "numpy",
        "pathlib",
    ),
    *("argparse", "typing"),
)
"""Packages of the training; nothing that they define is a weight."""

_INERT_NAMES = (
    *("torch.Size", "torch.device", "collections.defaultdict"),
    *("copyreg._reconstructor", "_codecs.encode"),
    *("builtins.bool", "builtins.bytes", "builtins.complex", "builtins.dict", "builtins.float"),
    *("builtins.int", "builtins.list", "builtins.long", "builtins.object", "builtins.set"),
    *("builtins.str", "builtins.tuple", "builtins.unicode"),
)
"""Names by which the objects of the training are put together."""


class _CheckpointUnpickler(RestrictedUnpickler):
    KNOWN: ClassVar[dict[str, Any]] = {
        "collections.OrderedDict": OrderedDict,
        "torch._utils._rebuild_tensor": _rebuild_oldest_tensor,
        "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
        "torch._utils._rebuild_parameter": _rebuild_parameter,
        **dict.fromkeys(_INERT_NAMES, Inert),
    }

    def find_class(self, module: str, name: str) -> Any:
        """The object that stands for a global name."""
        package, _, _ = module.partition(".")
        return Inert if package in _INERT_PACKAGES else super().find_class(module, name)


def _load(file: Any, **options: Any) -> Any:
    return _CheckpointUnpickler(file, **options).load()


_PICKLE_MODULE = types.SimpleNamespace(
    __name__="hamer_ros.networks.weights_file", Unpickler=_CheckpointUnpickler, load=_load
)
"""The module that `torch.load` takes its unpickler from."""
