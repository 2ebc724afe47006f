"""Convert MediaPipe's palm and hand models from TensorFlow Lite to ONNX.

The models use thirteen kinds of operator, few enough to convert one by one.  TensorFlow Lite keeps
images as (N, H, W, C), ONNX convolves (N, C, H, W): an image is transposed once at the input and
then carried in ONNX's order; it returns to TensorFlow Lite's order where it is flattened.
Float16 weights stay float16 in the file and are cast when the model is loaded.

Needs the ``tflite`` and ``onnx`` packages, which nothing else in this package does.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import tflite
from onnx import TensorProto, helper, numpy_helper

from hamer_ros.errors import FileFormatError

OPSET = 18
INPUT_NAME = "input"

_OPERATOR_NAMES = {
    code: name for name, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)
}
_DTYPES: dict[int, np.dtype] = {
    tflite.TensorType.FLOAT32: np.dtype(np.float32),
    tflite.TensorType.FLOAT16: np.dtype(np.float16),
    tflite.TensorType.INT32: np.dtype(np.int32),
    tflite.TensorType.INT64: np.dtype(np.int64),
}


class ConversionError(FileFormatError):
    """The model holds something that this converter does not know."""


class _Layout(enum.Enum):
    """The order of a tensor's values in the ONNX graph."""

    IMAGE = "NCHW"
    FLAT = "as in the tflite file"


def convert(model: bytes, name: str) -> bytes:
    """Convert one model.

    The ONNX model takes ``input`` (1, H, W, 3) float32 and gives ``out0``, ``out1``, ... in the
    order of the tflite file.

    model: content of the tflite file.
    name: what to call the model in error messages, its file name for instance.

    Raises:
        ConversionError: an operator, activation or layout that MediaPipe's models do not have.
    """
    return _Converter(model, name).run().SerializeToString()


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """The pixels (before, after) by which TensorFlow pads an axis for SAME, the odd one after."""
    outputs = -(-size // stride)
    total = max(0, (outputs - 1) * stride + kernel - size)
    return total // 2, total - total // 2


class _Converter:
    """Builds the ONNX graph of one tflite model, operator by operator."""

    def __init__(self, model: bytes, name: str) -> None:
        self._name = name
        self._model = tflite.Model.GetRootAsModel(model, 0)
        self._graph = self._model.Subgraphs(0)
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._dequantized: dict[int, np.ndarray] = {}
        self._layouts: dict[int, _Layout] = {}
        self._n_names = 0
        self._handlers: dict[str, Callable[[Any], None]] = {
            "ADD": self._add,
            "CONCATENATION": self._concatenation,
            "CONV_2D": self._convolution,
            "DEPTHWISE_CONV_2D": self._depthwise_convolution,
            "DEQUANTIZE": self._dequantize,
            "FULLY_CONNECTED": self._fully_connected,
            "LOGISTIC": self._logistic,
            "MAX_POOL_2D": self._max_pool,
            "MEAN": self._mean,
            "PAD": self._pad,
            "PRELU": self._prelu,
            "RESHAPE": self._reshape,
            "RESIZE_BILINEAR": self._resize_bilinear,
        }

    def run(self) -> onnx.ModelProto:
        (source,) = self._graph.InputsAsNumpy().tolist()
        self._image(source, "Transpose", [INPUT_NAME], perm=[0, 3, 1, 2])
        for k in range(self._graph.OperatorsLength()):
            self._convert_operator(self._graph.Operators(k))
        outputs = []
        for k, tensor in enumerate(self._graph.OutputsAsNumpy().tolist()):
            self._node("Identity", [self._flat_value(tensor)], f"out{k}")
            outputs.append(
                helper.make_tensor_value_info(f"out{k}", TensorProto.FLOAT, self._shape(tensor))
            )
        inputs = [helper.make_tensor_value_info(INPUT_NAME, TensorProto.FLOAT, self._shape(source))]
        graph = helper.make_graph(self._nodes, self._name, inputs, outputs, self._initializers)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9
        )
        onnx.checker.check_model(model)
        return model

    def _convert_operator(self, operator: Any) -> None:
        code = self._model.OperatorCodes(operator.OpcodeIndex())
        # Files written before schema 3a keep the code in the deprecated one-byte field.
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        name = _OPERATOR_NAMES.get(number, f"operator {number}")
        if name not in self._handlers:
            raise ConversionError(
                f"{self._name}: the operator {name} is not one that this converter knows "
                f"({', '.join(sorted(self._handlers))})"
            )
        self._handlers[name](operator)

    # What the tflite file says

    def _shape(self, tensor: int) -> list[int]:
        return [int(v) for v in self._graph.Tensors(tensor).ShapeAsNumpy()]

    def _constant(self, tensor: int) -> np.ndarray:
        if tensor in self._dequantized:
            return self._dequantized[tensor]
        description = self._graph.Tensors(tensor)
        buffer = self._model.Buffers(description.Buffer())
        if buffer is None or buffer.DataLength() == 0:
            raise ConversionError(f"{self._name}: tensor {tensor} should be a constant and is not")
        dtype = _DTYPES.get(description.Type())
        if dtype is None:
            raise ConversionError(
                f"{self._name}: tensor {tensor} has the unknown type number {description.Type()}"
            )
        return np.frombuffer(buffer.DataAsNumpy().tobytes(), dtype).reshape(self._shape(tensor))

    @staticmethod
    def _options(operator: Any, kind: Any) -> Any:
        options = kind()
        table = operator.BuiltinOptions()
        options.Init(table.Bytes, table.Pos)
        return options

    # What goes into the ONNX graph

    def _new_name(self) -> str:
        self._n_names += 1
        return f"v{self._n_names}"

    def _node(
        self, kind: str, inputs: list[str], output: str | None = None, **attributes: Any
    ) -> str:
        output = output or self._new_name()
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def _image(self, tensor: int, kind: str, inputs: list[str], **attributes: Any) -> None:
        """Add the node that yields ``tensor`` as an image."""
        self._node(kind, inputs, f"t{tensor}", **attributes)
        self._layouts[tensor] = _Layout.IMAGE

    def _flat(self, tensor: int, kind: str, inputs: list[str], **attributes: Any) -> None:
        """Add the node that yields ``tensor`` in the order of the tflite file."""
        self._node(kind, inputs, f"t{tensor}", **attributes)
        self._layouts[tensor] = _Layout.FLAT

    def _image_value(self, tensor: int) -> str:
        if self._layouts.get(tensor) is not _Layout.IMAGE:
            raise ConversionError(f"{self._name}: tensor {tensor} should be an image and is not")
        return f"t{tensor}"

    def _flat_value(self, tensor: int) -> str:
        """Name of ``tensor`` in the order of the tflite file."""
        if self._layouts.get(tensor) is _Layout.IMAGE:
            return self._node("Transpose", [f"t{tensor}"], perm=[0, 2, 3, 1])
        return f"t{tensor}"

    def _initializer(self, value: np.ndarray) -> str:
        name = self._new_name()
        self._initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def _integers(self, *values: int) -> str:
        return self._initializer(np.array(values, np.int64))

    def _weight(self, value: np.ndarray) -> str:
        if value.dtype == np.float16:
            return self._node("Cast", [self._initializer(value)], to=TensorProto.FLOAT)
        return self._initializer(value.astype(np.float32))

    def _activated_image(self, tensor: int, value: str, activation: int) -> None:
        """Let ``tensor`` be ``value`` after the activation that tflite fused into the operator."""
        if activation == tflite.ActivationFunctionType.NONE:
            self._image(tensor, "Identity", [value])
        elif activation == tflite.ActivationFunctionType.RELU:
            self._image(tensor, "Relu", [value])
        elif activation == tflite.ActivationFunctionType.RELU6:
            bounds = [self._initializer(np.array(v, np.float32)) for v in (0, 6)]
            self._image(tensor, "Clip", [value, *bounds])
        else:
            raise ConversionError(f"{self._name}: unknown activation number {activation}")

    def _pads(self, options: Any, source: int, kernel: tuple[int, int]) -> list[int]:
        """Pad a window operator as ONNX wants it: top, left, bottom, right."""
        if options.Padding() == tflite.Padding.VALID:
            return [0, 0, 0, 0]
        _, height, width, _ = self._shape(source)
        top, bottom = same_padding(height, kernel[0], options.StrideH())
        left, right = same_padding(width, kernel[1], options.StrideW())
        return [top, left, bottom, right]

    # Operators

    def _dequantize(self, operator: Any) -> None:
        self._dequantized[operator.Outputs(0)] = self._constant(operator.Inputs(0))

    def _convolution(self, operator: Any) -> None:
        weights = self._constant(operator.Inputs(1)).transpose(0, 3, 1, 2)
        self._convolve(operator, self._options(operator, tflite.Conv2DOptions), weights, 1)

    def _depthwise_convolution(self, operator: Any) -> None:
        weights = self._constant(operator.Inputs(1)).transpose(3, 0, 1, 2)
        options = self._options(operator, tflite.DepthwiseConv2DOptions)
        if options.DepthMultiplier() != 1:
            raise ConversionError(f"{self._name}: depthwise convolution with a depth multiplier")
        self._convolve(operator, options, weights, len(weights))

    def _convolve(self, operator: Any, options: Any, weights: np.ndarray, groups: int) -> None:
        if (options.DilationHFactor(), options.DilationWFactor()) != (1, 1):
            raise ConversionError(f"{self._name}: dilated convolution")
        source = operator.Inputs(0)
        value = self._node(
            "Conv",
            [
                self._image_value(source),
                self._weight(weights),
                self._weight(self._constant(operator.Inputs(2))),
            ],
            kernel_shape=weights.shape[2:],
            strides=[options.StrideH(), options.StrideW()],
            pads=self._pads(options, source, weights.shape[2:]),
            group=groups,
        )
        self._activated_image(operator.Outputs(0), value, options.FusedActivationFunction())

    def _max_pool(self, operator: Any) -> None:
        options = self._options(operator, tflite.Pool2DOptions)
        if options.FusedActivationFunction() != tflite.ActivationFunctionType.NONE:
            raise ConversionError(f"{self._name}: max pooling with an activation")
        kernel = (options.FilterHeight(), options.FilterWidth())
        source = operator.Inputs(0)
        self._image(
            operator.Outputs(0),
            "MaxPool",
            [self._image_value(source)],
            kernel_shape=kernel,
            strides=[options.StrideH(), options.StrideW()],
            pads=self._pads(options, source, kernel),
        )

    def _add(self, operator: Any) -> None:
        value = self._node("Add", [self._image_value(operator.Inputs(k)) for k in (0, 1)])
        options = self._options(operator, tflite.AddOptions)
        self._activated_image(operator.Outputs(0), value, options.FusedActivationFunction())

    def _prelu(self, operator: Any) -> None:
        slopes = self._constant(operator.Inputs(1)).reshape(-1, 1, 1)
        inputs = [self._image_value(operator.Inputs(0)), self._weight(slopes)]
        self._image(operator.Outputs(0), "PRelu", inputs)

    def _pad(self, operator: Any) -> None:
        before, after = self._constant(operator.Inputs(1))[[0, 3, 1, 2]].T
        inputs = [self._image_value(operator.Inputs(0)), self._integers(*before, *after)]
        self._image(operator.Outputs(0), "Pad", inputs)

    def _resize_bilinear(self, operator: Any) -> None:
        options = self._options(operator, tflite.ResizeBilinearOptions)
        mode = "asymmetric"
        if options.AlignCorners():
            mode = "align_corners"
        elif options.HalfPixelCenters():
            mode = "half_pixel"
        count, height, width, channels = self._shape(operator.Outputs(0))
        size = self._integers(count, channels, height, width)
        self._image(
            operator.Outputs(0),
            "Resize",
            [self._image_value(operator.Inputs(0)), "", "", size],
            mode="linear",
            coordinate_transformation_mode=mode,
        )

    def _reshape(self, operator: Any) -> None:
        target = operator.Outputs(0)
        inputs = [self._flat_value(operator.Inputs(0)), self._integers(*self._shape(target))]
        self._flat(target, "Reshape", inputs)

    def _concatenation(self, operator: Any) -> None:
        options = self._options(operator, tflite.ConcatenationOptions)
        inputs = [self._flat_value(operator.Inputs(k)) for k in range(operator.InputsLength())]
        self._flat(operator.Outputs(0), "Concat", inputs, axis=options.Axis())

    def _mean(self, operator: Any) -> None:
        if sorted(self._constant(operator.Inputs(1)).tolist()) != [1, 2]:
            raise ConversionError(f"{self._name}: mean over other axes than height and width")
        source = self._image_value(operator.Inputs(0))
        mean = self._node("ReduceMean", [source, self._integers(2, 3)], keepdims=0)
        target = operator.Outputs(0)
        self._flat(target, "Reshape", [mean, self._integers(*self._shape(target))])

    def _fully_connected(self, operator: Any) -> None:
        weights = self._constant(operator.Inputs(1))
        options = self._options(operator, tflite.FullyConnectedOptions)
        if options.FusedActivationFunction() != tflite.ActivationFunctionType.NONE:
            raise ConversionError(f"{self._name}: fully connected layer with an activation")
        rows = self._node(
            "Reshape",
            [self._flat_value(operator.Inputs(0)), self._integers(-1, weights.shape[1])],
        )
        bias = self._weight(self._constant(operator.Inputs(2)))
        inputs = [rows, self._weight(weights), bias]
        self._flat(operator.Outputs(0), "Gemm", inputs, transB=1)

    def _logistic(self, operator: Any) -> None:
        self._flat(operator.Outputs(0), "Sigmoid", [self._flat_value(operator.Inputs(0))])
