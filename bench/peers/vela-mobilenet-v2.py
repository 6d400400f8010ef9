"""Vela's estimate of MobileNetV2 (int8, 224 x 224) on an Ethos-U55-256; prints one JSON document.

    python -m venv VENV && VENV/bin/pip install -r bench/peers/requirements-vela.txt
    PATH=VENV/bin:$PATH python bench/peers/vela-mobilenet-v2.py > bench/peers/results/vela-mobilenet-v2.json     # seconds

The .tflite file is written here, with seeded weights, by the flatbuffer classes that Vela itself reads with: no TensorFlow.
"""

import csv
import glob
import json
import os
import subprocess
import sys
import tempfile

import flatbuffers
import numpy
from ethosu.vela.tflite import (
    AddOptions,
    Buffer,
    Conv2DOptions,
    DepthwiseConv2DOptions,
    FullyConnectedOptions,
    Model,
    Operator,
    OperatorCode,
    QuantizationParameters,
    ReducerOptions,
    ReshapeOptions,
    SubGraph,
    Tensor,
)
from ethosu.vela.tflite.ActivationFunctionType import ActivationFunctionType
from ethosu.vela.tflite.BuiltinOperator import BuiltinOperator
from ethosu.vela.tflite.BuiltinOptions import BuiltinOptions
from ethosu.vela.tflite.Padding import Padding
from ethosu.vela.tflite.TensorType import TensorType

random = numpy.random.default_rng(1)


class Network:
    """Collects tensors and operators, then writes them from the leaves up, as flatbuffers must be."""

    def __init__(self):
        self.builder = flatbuffers.Builder(1 << 22)
        self.buffers = [b""]
        self.tensors = []
        self.operators = []
        self.codes = []

    def tensor(self, name, shape, kind=TensorType.INT8, data=None, scales=(0.05,), zeros=(0,), axis=0):
        index = 0
        if data is not None:
            self.buffers.append(data.tobytes())
            index = len(self.buffers) - 1
        self.tensors.append((name, list(shape), kind, index, list(scales), list(zeros), axis))
        return len(self.tensors) - 1

    def code(self, operator):
        if operator not in self.codes:
            self.codes.append(operator)
        return self.codes.index(operator)

    def add(self, operator, inputs, output, kind, options):
        self.operators.append((self.code(operator), list(inputs), [output], kind, options))

    def vector(self, values, start, prepend):
        start(self.builder, len(values))
        for value in reversed(values):
            prepend(value)
        return self.builder.EndVector()

    def offsets(self, values, start):
        return self.vector(values, start, self.builder.PrependUOffsetTRelative)

    def finish(self, inputs, outputs):
        b = self.builder
        buffers = []
        for data in self.buffers:
            body = b.CreateByteVector(data) if data else None
            Buffer.BufferStart(b)
            if body is not None:
                Buffer.BufferAddData(b, body)
            buffers.append(Buffer.BufferEnd(b))
        tensors = []
        for name, shape, kind, index, scales, zeros, axis in self.tensors:
            text = b.CreateString(name)
            sizes = self.vector(shape, Tensor.TensorStartShapeVector, b.PrependInt32)
            scale = self.vector(scales, QuantizationParameters.QuantizationParametersStartScaleVector, b.PrependFloat32)
            zero = self.vector(zeros, QuantizationParameters.QuantizationParametersStartZeroPointVector, b.PrependInt64)
            QuantizationParameters.QuantizationParametersStart(b)
            QuantizationParameters.QuantizationParametersAddScale(b, scale)
            QuantizationParameters.QuantizationParametersAddZeroPoint(b, zero)
            QuantizationParameters.QuantizationParametersAddQuantizedDimension(b, axis)
            quantization = QuantizationParameters.QuantizationParametersEnd(b)
            Tensor.TensorStart(b)
            Tensor.TensorAddShape(b, sizes)
            Tensor.TensorAddType(b, kind)
            Tensor.TensorAddBuffer(b, index)
            Tensor.TensorAddName(b, text)
            Tensor.TensorAddQuantization(b, quantization)
            tensors.append(Tensor.TensorEnd(b))
        operators = []
        for code, ins, outs, kind, options in self.operators:
            built = options(b)
            first = self.vector(ins, Operator.OperatorStartInputsVector, b.PrependInt32)
            second = self.vector(outs, Operator.OperatorStartOutputsVector, b.PrependInt32)
            Operator.OperatorStart(b)
            Operator.OperatorAddOpcodeIndex(b, code)
            Operator.OperatorAddInputs(b, first)
            Operator.OperatorAddOutputs(b, second)
            Operator.OperatorAddBuiltinOptionsType(b, kind)
            Operator.OperatorAddBuiltinOptions(b, built)
            operators.append(Operator.OperatorEnd(b))
        codes = []
        for code in self.codes:
            OperatorCode.OperatorCodeStart(b)
            OperatorCode.OperatorCodeAddDeprecatedBuiltinCode(b, min(code, 127))
            OperatorCode.OperatorCodeAddBuiltinCode(b, code)
            OperatorCode.OperatorCodeAddVersion(b, 3)
            codes.append(OperatorCode.OperatorCodeEnd(b))
        all_tensors = self.offsets(tensors, SubGraph.SubGraphStartTensorsVector)
        all_inputs = self.vector(inputs, SubGraph.SubGraphStartInputsVector, b.PrependInt32)
        all_outputs = self.vector(outputs, SubGraph.SubGraphStartOutputsVector, b.PrependInt32)
        all_operators = self.offsets(operators, SubGraph.SubGraphStartOperatorsVector)
        SubGraph.SubGraphStart(b)
        SubGraph.SubGraphAddTensors(b, all_tensors)
        SubGraph.SubGraphAddInputs(b, all_inputs)
        SubGraph.SubGraphAddOutputs(b, all_outputs)
        SubGraph.SubGraphAddOperators(b, all_operators)
        graph = SubGraph.SubGraphEnd(b)
        all_codes = self.offsets(codes, Model.ModelStartOperatorCodesVector)
        graphs = self.offsets([graph], Model.ModelStartSubgraphsVector)
        all_buffers = self.offsets(buffers, Model.ModelStartBuffersVector)
        Model.ModelStart(b)
        Model.ModelAddVersion(b, 3)
        Model.ModelAddOperatorCodes(b, all_codes)
        Model.ModelAddSubgraphs(b, graphs)
        Model.ModelAddBuffers(b, all_buffers)
        b.Finish(Model.ModelEnd(b), b"TFL3")
        return bytes(b.Output())


def weights(net, name, shape, channels, axis):
    data = random.integers(-127, 128, size=shape, dtype=numpy.int8)
    return net.tensor(name, shape, data=data, scales=[0.01] * channels, zeros=[0] * channels, axis=axis)


def bias(net, name, channels):
    data = numpy.zeros(channels, numpy.int32)
    scales, zeros = [0.0005] * channels, [0] * channels
    return net.tensor(name, [channels], kind=TensorType.INT32, data=data, scales=scales, zeros=zeros)


def conv(net, x, shape, channels, kernel, stride, relu, name):
    _, height, width, depth = shape
    out = [1, -(-height // stride), -(-width // stride), channels]
    y = net.tensor(name, out)
    w = weights(net, f"{name}/w", [channels, kernel, kernel, depth], channels, 0)
    activation = ActivationFunctionType.RELU6 if relu else ActivationFunctionType.NONE

    def options(b):
        Conv2DOptions.Conv2DOptionsStart(b)
        Conv2DOptions.Conv2DOptionsAddPadding(b, Padding.SAME)
        Conv2DOptions.Conv2DOptionsAddStrideW(b, stride)
        Conv2DOptions.Conv2DOptionsAddStrideH(b, stride)
        Conv2DOptions.Conv2DOptionsAddFusedActivationFunction(b, activation)
        return Conv2DOptions.Conv2DOptionsEnd(b)

    net.add(BuiltinOperator.CONV_2D, [x, w, bias(net, f"{name}/b", channels)], y, BuiltinOptions.Conv2DOptions, options)
    return y, out


def depthwise(net, x, shape, stride, name):
    _, height, width, depth = shape
    out = [1, -(-height // stride), -(-width // stride), depth]
    y = net.tensor(name, out)
    w = weights(net, f"{name}/w", [1, 3, 3, depth], depth, 3)

    def options(b):
        DepthwiseConv2DOptions.DepthwiseConv2DOptionsStart(b)
        DepthwiseConv2DOptions.DepthwiseConv2DOptionsAddPadding(b, Padding.SAME)
        DepthwiseConv2DOptions.DepthwiseConv2DOptionsAddStrideW(b, stride)
        DepthwiseConv2DOptions.DepthwiseConv2DOptionsAddStrideH(b, stride)
        DepthwiseConv2DOptions.DepthwiseConv2DOptionsAddDepthMultiplier(b, 1)
        DepthwiseConv2DOptions.DepthwiseConv2DOptionsAddFusedActivationFunction(b, ActivationFunctionType.RELU6)
        return DepthwiseConv2DOptions.DepthwiseConv2DOptionsEnd(b)

    operands = [x, w, bias(net, f"{name}/b", depth)]
    net.add(BuiltinOperator.DEPTHWISE_CONV_2D, operands, y, BuiltinOptions.DepthwiseConv2DOptions, options)
    return y, out


def add(net, a, b_, shape, name):
    y = net.tensor(name, shape)

    def options(b):
        AddOptions.AddOptionsStart(b)
        return AddOptions.AddOptionsEnd(b)

    net.add(BuiltinOperator.ADD, [a, b_], y, BuiltinOptions.AddOptions, options)
    return y


def mean(net, x, shape, name):
    y = net.tensor(name, [1, 1, 1, shape[3]])
    axes = net.tensor(f"{name}/axes", [2], kind=TensorType.INT32, data=numpy.array([1, 2], numpy.int32))

    def options(b):
        ReducerOptions.ReducerOptionsStart(b)
        ReducerOptions.ReducerOptionsAddKeepDims(b, True)
        return ReducerOptions.ReducerOptionsEnd(b)

    net.add(BuiltinOperator.MEAN, [x, axes], y, BuiltinOptions.ReducerOptions, options)
    return y


def linear(net, x, depth, channels, name):
    flat = net.tensor(f"{name}/flat", [1, depth])
    shape = net.tensor(f"{name}/shape", [2], kind=TensorType.INT32, data=numpy.array([1, depth], numpy.int32))

    def reshape(b):
        sizes = net.vector([1, depth], ReshapeOptions.ReshapeOptionsStartNewShapeVector, b.PrependInt32)
        ReshapeOptions.ReshapeOptionsStart(b)
        ReshapeOptions.ReshapeOptionsAddNewShape(b, sizes)
        return ReshapeOptions.ReshapeOptionsEnd(b)

    net.add(BuiltinOperator.RESHAPE, [x, shape], flat, BuiltinOptions.ReshapeOptions, reshape)
    y = net.tensor(name, [1, channels])
    w = weights(net, f"{name}/w", [channels, depth], 1, 0)

    def options(b):
        FullyConnectedOptions.FullyConnectedOptionsStart(b)
        return FullyConnectedOptions.FullyConnectedOptionsEnd(b)

    operands = [flat, w, bias(net, f"{name}/b", channels)]
    net.add(BuiltinOperator.FULLY_CONNECTED, operands, y, BuiltinOptions.FullyConnectedOptions, options)
    return y


def mobilenet_v2():
    net = Network()
    shape = [1, 224, 224, 3]
    first = x = net.tensor("x", shape)
    x, shape = conv(net, x, shape, 32, 3, 2, True, "stem")
    stages = [
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ]
    for stage, (expand, channels, repeats, stride_first) in enumerate(stages):
        for repeat in range(repeats):
            name = f"s{stage}b{repeat}"
            stride = stride_first if repeat == 0 else 1
            before, before_shape = x, shape
            if expand > 1:
                x, shape = conv(net, x, shape, shape[3] * expand, 1, 1, True, f"{name}/expand")
            x, shape = depthwise(net, x, shape, stride, f"{name}/depthwise")
            x, shape = conv(net, x, shape, channels, 1, 1, False, f"{name}/project")
            if stride == 1 and before_shape == shape:
                x = add(net, x, before, shape, f"{name}/add")
    x, shape = conv(net, x, shape, 1280, 1, 1, True, "head")
    x = mean(net, x, shape, "mean")
    return net.finish([first], [linear(net, x, 1280, 1000, "classifier")])


with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "mobilenet_v2.tflite")
    with open(path, "wb") as out:
        out.write(mobilenet_v2())
    command = [
        "vela",
        path,
        "--output-dir",
        folder,
        "--accelerator-config",
        "ethos-u55-256",
        "--config",
        "Arm/vela.ini",
        "--system-config",
        "Ethos_U55_High_End_Embedded",
        "--memory-mode",
        "Shared_Sram",
        "--arena-cache-size",
        "2097152",
        "--verbose-performance",
    ]
    result = subprocess.run(command, capture_output=True, text=True)
    print(result.stdout[-6000:], result.stderr[-3000:], file=sys.stderr)
    if result.returncode != 0:
        sys.exit(result.returncode)
    [summary] = list(csv.DictReader(open(glob.glob(os.path.join(folder, "*_summary_*.csv"))[0])))
    layers = [
        {"name": row["Name"], "operator": row.get("NNG Operator", ""), "cycles": float(row["Op Cycles"])}
        for row in csv.DictReader(open(glob.glob(os.path.join(folder, "*per-layer.csv"))[0]))
    ]
    cycles = {key[len("cycles_") :]: float(value) for key, value in summary.items() if key.startswith("cycles_")}
    document = {"peer": "ethos-u-vela 5.2.0", "network": "mobilenet-v2", "cycles": cycles, "layers": layers}
    print(json.dumps(document, indent=1))
