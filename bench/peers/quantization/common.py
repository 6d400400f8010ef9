"""What the peers' scripts share: arguments, calibration data, and the line that says what the quantization took."""
import argparse
import json
import resource
import time

import numpy as np
import onnx

FOUR_BITS = (onnx.TensorProto.INT4, onnx.TensorProto.UINT4)
FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)


def parse(description, **more):
    """MODEL.onnx CALIBRATION.npz OUT.onnx: one array for each input, whose first axis counts the samples."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("model")
    parser.add_argument("calibration")
    parser.add_argument("out")
    parser.add_argument("--accurate", action="store_true", help="the slower of the settings that the peer recommends")
    for name, options in more.items():
        parser.add_argument(f"--{name}", **options)
    return parser.parse_args()


def samples(path):
    """Feeds of one sample each, in order."""
    arrays = {name: array for name, array in np.load(path).items()}
    count = len(next(iter(arrays.values())))
    return [{name: array[index] for name, array in arrays.items()} for index in range(count)]


def int4_share(path):
    """Numbers in 4 bits, of all weights: what Conv, MatMul and Gemm take as constants, and tables that rows are fetched from."""
    graph = onnx.load(path).graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    made = {node.output[0]: node for node in graph.node if node.output}
    seen = {}
    for node in graph.node:
        attributes = {attribute.name: attribute.i for attribute in node.attribute}
        if node.op_type in ("MatMulNBits", "GatherBlockQuantized"):
            found = constants[node.input[1 if node.op_type == "MatMulNBits" else 0]]
            count = int(np.prod(found.dims)) * (2 if found.data_type == onnx.TensorProto.UINT8 else 1)
            count = attributes.get("K", 0) * attributes.get("N", 0) or count
            seen[found.name] = (count, attributes.get("bits", 4) == 4)
        elif node.op_type in ("Conv", "ConvTranspose", "MatMul", "Gemm", "Gather"):
            name = node.input[0 if node.op_type == "Gather" else 1]
            while name in made and made[name].op_type in ("DequantizeLinear", "Reshape", "Transpose", "Cast", "Identity"):
                name = made[name].input[0]
            tensor = constants.get(name)
            if tensor is not None and (tensor.data_type in FLOATS or name != node.input[1]) and len(tensor.dims) > 1:
                seen[name] = (int(np.prod(tensor.dims)), tensor.data_type in FOUR_BITS)
    total = sum(count for count, _ in seen.values())
    narrow = sum(count for count, is_narrow in seen.values() if is_narrow)
    return narrow / total if total else 0.0


def quantized_nodes(graph):
    """Nodes that take codes, in subgraphs too: 0 tells that a model came back as it was."""
    bodies = [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
    own = sum(node.op_type in ("DequantizeLinear", "MatMulNBits") for node in graph.node)
    return own + sum(quantized_nodes(body) for body in bodies)


def report(peer, versions, start, settings, out):
    """`start`: stopwatch() after the imports, before the model was loaded; `out`: the model that was written."""
    wall, cpu = (now - then for now, then in zip(stopwatch(), start))
    line = {
        "peer": peer,
        "versions": versions,
        "settings": settings,
        "ms": round(wall * 1000),
        "cpuMs": round(cpu * 1000),
        "peakRssBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    line["int4Share"] = int4_share(out)
    line["quantizedNodes"] = quantized_nodes(onnx.load(out).graph)
    print(json.dumps(line))


def stopwatch():
    """Seconds by the clock, and of processor time over all threads."""
    return time.perf_counter(), time.process_time()
