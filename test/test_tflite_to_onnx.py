"""The converter, on models small enough to be written by hand.

Each model is built operator by operator as a tflite file, converted, and run by onnxruntime; the
answer must be that of a closed form, and of Google's own interpreter where that is installed.
"""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

flatbuffers = pytest.importorskip("flatbuffers", reason="comes with tflite")
tflite = pytest.importorskip("tflite", reason="converting needs: pip install tflite onnx")
pytest.importorskip("onnx", reason="converting needs: pip install tflite onnx")

from hamer_ros.inference.tflite_to_onnx import (  # noqa: E402
    ConversionError,
    convert,
    same_padding,
)

TYPES = {
    np.dtype(np.float32): tflite.TensorType.FLOAT32,
    np.dtype(np.float16): tflite.TensorType.FLOAT16,
    np.dtype(np.int32): tflite.TensorType.INT32,
}


class ModelBuilder:
    """Writes a tflite file: tensors first, then the operators between them."""

    def __init__(self):
        self.builder = flatbuffers.Builder(1024)
        self.tensors = []
        self.operators = []

    def tensor(self, shape, dtype=np.float32):
        self.tensors.append((tuple(shape), np.dtype(dtype), b""))
        return len(self.tensors) - 1

    def constant(self, value):
        value = np.ascontiguousarray(value)
        self.tensors.append((value.shape, value.dtype, value.tobytes()))
        return len(self.tensors) - 1

    def operator(self, name, inputs, shape, kind=None, dtype=np.float32, **options):
        output = self.tensor(shape, dtype)
        self.operators.append((name, inputs, output, kind, options))
        return output

    def build(self, source, outputs):
        b = self.builder
        buffers = [self._buffer(b"")] + [self._buffer(data) for _, _, data in self.tensors]
        tensors = [self._tensor(k, *t[:2]) for k, t in enumerate(self.tensors)]
        codes = [self._code(name) for name, *_ in self.operators]
        operators = [self._operator(k, *o[1:]) for k, o in enumerate(self.operators)]
        parts = [
            self._offsets(tensors),
            self._integers([source]),
            self._integers(outputs),
            self._offsets(operators),
        ]
        tflite.SubGraphStart(b)
        tflite.SubGraphAddTensors(b, parts[0])
        tflite.SubGraphAddInputs(b, parts[1])
        tflite.SubGraphAddOutputs(b, parts[2])
        tflite.SubGraphAddOperators(b, parts[3])
        graph = tflite.SubGraphEnd(b)
        parts = [self._offsets(codes), self._offsets([graph]), self._offsets(buffers)]
        tflite.ModelStart(b)
        tflite.ModelAddVersion(b, 3)
        tflite.ModelAddOperatorCodes(b, parts[0])
        tflite.ModelAddSubgraphs(b, parts[1])
        tflite.ModelAddBuffers(b, parts[2])
        b.Finish(tflite.ModelEnd(b), b"TFL3")
        return bytes(b.Output())

    def _offsets(self, offsets):
        self.builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self.builder.PrependUOffsetTRelative(offset)
        return self.builder.EndVector()

    def _integers(self, values):
        return self.builder.CreateNumpyVector(np.array(values, np.int32))

    def _buffer(self, data):
        vector = self.builder.CreateByteVector(data) if data else None
        tflite.BufferStart(self.builder)
        if vector is not None:
            tflite.BufferAddData(self.builder, vector)
        return tflite.BufferEnd(self.builder)

    def _tensor(self, number, shape, dtype):
        name, dims = self.builder.CreateString(f"tensor{number}"), self._integers(shape)
        tflite.TensorStart(self.builder)
        tflite.TensorAddShape(self.builder, dims)
        tflite.TensorAddType(self.builder, TYPES[dtype])
        tflite.TensorAddBuffer(self.builder, number + 1)
        tflite.TensorAddName(self.builder, name)
        return tflite.TensorEnd(self.builder)

    def _code(self, name):
        code = getattr(tflite.BuiltinOperator, name)
        tflite.OperatorCodeStart(self.builder)
        tflite.OperatorCodeAddDeprecatedBuiltinCode(self.builder, min(code, 127))
        tflite.OperatorCodeAddBuiltinCode(self.builder, code)
        tflite.OperatorCodeAddVersion(self.builder, 1)
        return tflite.OperatorCodeEnd(self.builder)

    def _operator(self, number, inputs, output, kind, options):
        table = None
        if kind is not None:
            getattr(tflite, f"{kind}Start")(self.builder)
            for field, value in options.items():
                getattr(tflite, f"{kind}Add{field}")(self.builder, value)
            table = getattr(tflite, f"{kind}End")(self.builder)
        sources, targets = self._integers(inputs), self._integers([output])
        tflite.OperatorStart(self.builder)
        tflite.OperatorAddOpcodeIndex(self.builder, number)
        tflite.OperatorAddInputs(self.builder, sources)
        tflite.OperatorAddOutputs(self.builder, targets)
        if table is not None:
            tflite.OperatorAddBuiltinOptionsType(self.builder, getattr(tflite.BuiltinOptions, kind))
            tflite.OperatorAddBuiltinOptions(self.builder, table)
        return tflite.OperatorEnd(self.builder)


def run(model, value):
    onnx_model = convert(model, "model.tflite")
    session = onnxruntime.InferenceSession(onnx_model, providers=["CPUExecutionProvider"])
    return session.run(None, {"input": value})


def model_of_all_operators(rng):
    """Each of the thirteen operators; image 7 x 6, odd sizes so that SAME is uneven."""
    model = ModelBuilder()
    half = lambda *shape: rng.normal(size=shape).astype(np.float16)  # noqa: E731
    single = lambda *shape: rng.normal(size=shape).astype(np.float32)  # noqa: E731
    same, valid = tflite.Padding.SAME, tflite.Padding.VALID
    relu6 = tflite.ActivationFunctionType.RELU6
    relu = tflite.ActivationFunctionType.RELU

    source = model.tensor((1, 7, 6, 3))
    weights = model.operator("DEQUANTIZE", [model.constant(half(4, 3, 3, 3))], (4, 3, 3, 3))
    x = model.operator(
        "CONV_2D",
        [source, weights, model.constant(single(4))],
        (1, 4, 3, 4),
        "Conv2DOptions",
        Padding=same,
        StrideH=2,
        StrideW=2,
        DilationHFactor=1,
        DilationWFactor=1,
        FusedActivationFunction=relu6,
    )
    x = model.operator("PRELU", [x, model.constant(single(1, 1, 4))], (1, 4, 3, 4))
    y = model.operator(
        "DEPTHWISE_CONV_2D",
        [x, model.constant(single(1, 3, 3, 4)), model.constant(single(4))],
        (1, 4, 3, 4),
        "DepthwiseConv2DOptions",
        Padding=same,
        StrideH=1,
        StrideW=1,
        DepthMultiplier=1,
        DilationHFactor=1,
        DilationWFactor=1,
        FusedActivationFunction=tflite.ActivationFunctionType.NONE,
    )
    x = model.operator("ADD", [x, y], (1, 4, 3, 4), "AddOptions", FusedActivationFunction=relu)
    pads = np.array([[0, 0], [0, 1], [1, 0], [0, 2]], np.int32)
    x = model.operator("PAD", [x, model.constant(pads)], (1, 5, 4, 6), "PadOptions")
    pooled = model.operator(
        "MAX_POOL_2D",
        [x],
        (1, 2, 2, 6),
        "Pool2DOptions",
        Padding=valid,
        StrideH=2,
        StrideW=2,
        FilterHeight=2,
        FilterWidth=2,
        FusedActivationFunction=tflite.ActivationFunctionType.NONE,
    )
    size = model.constant(np.array([4, 4], np.int32))
    grown = model.operator(
        "RESIZE_BILINEAR",
        [pooled, size],
        (1, 4, 4, 6),
        "ResizeBilinearOptions",
        AlignCorners=False,
        HalfPixelCenters=True,
    )
    first, second = (
        model.operator(
            "RESHAPE",
            [image, model.constant(np.array([1, n, 6], np.int32))],
            (1, n, 6),
            "ReshapeOptions",
        )
        for image, n in ((pooled, 4), (grown, 16))
    )
    joined = model.operator(
        "CONCATENATION", [first, second], (1, 20, 6), "ConcatenationOptions", Axis=1
    )
    axes = model.constant(np.array([1, 2], np.int32))
    mean = model.operator("MEAN", [grown, axes], (1, 6), "ReducerOptions", KeepDims=False)
    dense = model.operator(
        "FULLY_CONNECTED",
        [mean, model.constant(single(2, 6)), model.constant(single(2))],
        (1, 2),
        "FullyConnectedOptions",
    )
    chance = model.operator("LOGISTIC", [dense], (1, 2))
    return model.build(source, [joined, chance])


def test_every_operator_agrees_with_googles_interpreter():
    interpreters = pytest.importorskip("ai_edge_litert.interpreter")
    model = model_of_all_operators(np.random.default_rng(3))
    reference = interpreters.Interpreter(model_content=model)
    reference.allocate_tensors()
    source = reference.get_input_details()[0]["index"]
    rng = np.random.default_rng(4)
    for _ in range(5):
        value = rng.normal(size=(1, 7, 6, 3)).astype(np.float32)
        reference.set_tensor(source, value)
        reference.invoke()
        expected = [reference.get_tensor(d["index"]) for d in reference.get_output_details()]
        found = run(model, value)
        assert [f.shape for f in found] == [(1, 20, 6), (1, 2)]
        assert np.ptp(found[0]) > 0.1, "a model that says nothing agrees with anything"
        for f, e in zip(found, expected, strict=True):
            np.testing.assert_allclose(f, e, atol=1e-5)


def test_prelu_against_its_formula():
    model = ModelBuilder()
    source = model.tensor((1, 2, 2, 3))
    slopes = np.array([0.5, -1, 2], np.float32)
    out = model.operator("PRELU", [source, model.constant(slopes.reshape(1, 1, 3))], (1, 2, 2, 3))
    value = np.arange(-6, 6, dtype=np.float32).reshape(1, 2, 2, 3)
    (found,) = run(model.build(source, [out]), value)
    np.testing.assert_array_equal(found, np.where(value < 0, slopes * value, value))


def test_convolution_against_a_loop():
    rng = np.random.default_rng(0)
    weights, bias = rng.normal(size=(2, 3, 3, 1)), rng.normal(size=2)
    model = ModelBuilder()
    source = model.tensor((1, 6, 5, 1))
    out = model.operator(
        "CONV_2D",
        [source, *(model.constant(v.astype(np.float32)) for v in (weights, bias))],
        (1, 3, 3, 2),
        "Conv2DOptions",
        Padding=tflite.Padding.SAME,
        StrideH=2,
        StrideW=2,
        DilationHFactor=1,
        DilationWFactor=1,
        FusedActivationFunction=tflite.ActivationFunctionType.NONE,
    )
    value = rng.normal(size=(1, 6, 5, 1)).astype(np.float32)
    (found,) = run(model.build(source, [out]), value)
    # Height 6, stride 2, kernel 3: one row of zeros below.  Width 5: one column on each side.
    padded = np.pad(value[0, :, :, 0], ((0, 1), (1, 1)))
    expected = np.array(
        [
            [
                [(padded[2 * i : 2 * i + 3, 2 * j : 2 * j + 3] * w[..., 0]).sum() for w in weights]
                for j in range(3)
            ]
            for i in range(3)
        ]
    )
    np.testing.assert_allclose(found[0], expected + bias, atol=1e-5)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [
        (192, 5, 2, (1, 2)),
        (224, 3, 2, (0, 1)),
        (6, 5, 1, (2, 2)),
        (7, 3, 2, (1, 1)),
        (4, 2, 2, (0, 0)),
    ],
)
def test_same_padding(size, kernel, stride, expected):
    assert same_padding(size, kernel, stride) == expected


def test_unknown_operator_is_named_with_its_file():
    model = ModelBuilder()
    source = model.tensor((1, 2, 2, 3))
    out = model.operator("SOFTMAX", [source], (1, 2, 2, 3))
    with pytest.raises(ConversionError, match=r"strange\.tflite.*SOFTMAX"):
        convert(model.build(source, [out]), "strange.tflite")


def test_unknown_activation_is_an_error_not_a_wrong_model():
    model = ModelBuilder()
    source = model.tensor((1, 2, 2, 1))
    tanh = tflite.ActivationFunctionType.TANH
    out = model.operator(
        "ADD", [source, source], (1, 2, 2, 1), "AddOptions", FusedActivationFunction=tanh
    )
    with pytest.raises(ConversionError, match="activation"):
        convert(model.build(source, [out]), "model.tflite")
