"""Run any ONNX model that finds boxes, given by its path.

The size of the input comes from the file, or is 640 x 640 where the file leaves it open; the style
of the outputs comes from their shapes, which the model shows on an empty image.  With the style of
the outputs goes that of the input: RTMDet, as MMDeploy writes it, takes BGR less the mean over the
standard deviation of ImageNet; the YOLO family takes RGB from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hamer_ros.detection.box_classes import parse_names
from hamer_ros.detection.box_outputs import ScoredBoxes, Style, decode, recognise
from hamer_ros.detection.letterbox import Letterbox
from hamer_ros.errors import ConfigurationError, FileFormatError
from hamer_ros.inference.device import CPU, Device
from hamer_ros.inference.onnx_session import OnnxModel

OPEN_SIZE = 640
"""Side of the input where the file leaves it open."""

BGR_MEAN = np.array([103.53, 116.28, 123.675], np.float32)
BGR_STD = np.array([57.375, 57.12, 58.395], np.float32)
"""Mean and standard deviation of MMDetection's preprocessor, levels of 0 to 255."""


class _DescribedModel(OnnxModel):
    """A model that describes its input."""

    @property
    def input_shape(self) -> list[int | str | None]:
        return self._session.get_inputs()[0].shape

    @property
    def input_type(self) -> str:
        return self._session.get_inputs()[0].type

    @property
    def n_inputs(self) -> int:
        return len(self._session.get_inputs())


class BoxModel:
    """Finds boxes in images with an ONNX model.

    path: the ONNX file.
    classes: names of its classes in their order; those in the file's metadata where empty.

    Raises:
        FileFormatError: the input or the outputs are none of those that are understood.
        ConfigurationError: the classes have to be named.
        And what `OnnxModel` raises.
    """

    def __init__(
        self,
        path: Path,
        classes: tuple[str, ...] = (),
        device: Device = CPU,
        threads: int = 1,
    ) -> None:
        self._model = _DescribedModel(path, device.providers, threads)
        try:
            self.names = classes or _names(self._model.metadata)
            self._width, self._height = _input_size(self._model)
            outputs = self._model(np.zeros((1, 3, self._height, self._width), np.float32))
            self._style = recognise(outputs, self._n_named)
        except (ConfigurationError, FileFormatError) as error:
            raise type(error)(f"{path}: {error}") from error
        self.n_classes = self._n_named
        if self.n_classes is None and self._style not in (Style.WITH_LABELS, Style.FINAL):
            self.n_classes = decode(self._style, outputs, None).scores.shape[1]

    @property
    def _n_named(self) -> int | None:
        return None if self.names is None else len(self.names)

    def __call__(self, rgb: np.ndarray) -> ScoredBoxes:
        """Find all boxes in an image (H, W, 3) uint8, in its pixels, overlapping ones included."""
        height, width = rgb.shape[:2]
        letterbox = Letterbox(self._width, self._height, width, height)
        levels = letterbox.cut(rgb)
        if self._style is Style.WITH_LABELS:
            values = (levels[..., ::-1] - BGR_MEAN) / BGR_STD
        else:
            values = levels.astype(np.float32) / 255
        outputs = self._model(np.ascontiguousarray(values.transpose(2, 0, 1)[None]))
        found = decode(self._style, outputs, self.n_classes)
        return ScoredBoxes(letterbox.to_image(found.boxes), found.scores)


def _names(metadata: Mapping[str, str]) -> tuple[str, ...] | None:
    return parse_names(metadata["names"]) if metadata.get("names") else None


def _input_size(model: _DescribedModel) -> tuple[int, int]:
    """The width and height of the input, pixels.

    Raises:
        FileFormatError: the model takes something else than one image.
    """
    shape = model.input_shape
    # A dimension that the file leaves open is a name or None.
    is_image = len(shape) == 4 and (shape[0] in (1, None) or isinstance(shape[0], str))
    is_image = is_image and (shape[1] in (3, None) or isinstance(shape[1], str))
    if model.n_inputs != 1 or not is_image or model.input_type != "tensor(float)":
        raise FileFormatError(
            f"it takes {model.n_inputs} input(s), the first {model.input_type} {shape}; understood "
            "is one image, float (1, 3, height, width)"
        )
    if isinstance(shape[2], int) and isinstance(shape[3], int):
        return shape[3], shape[2]
    return OPEN_SIZE, OPEN_SIZE
