import { bug } from "../error.ts";
import {
  type Attr,
  type DType,
  type Graph,
  isStatic,
  makeGraph,
  type Node,
  type Quant,
  type Tensor,
  type Type,
  typeOf,
} from "../ir/graph.ts";
import { allocate, numbersOf } from "../ir/tensor.ts";
import { namesOf, readsOf } from "../ir/uses.ts";
import { inferTypes } from "../ops/infer.ts";
import { sayAdd, sayExtreme, sayMul, sayRescale, sayTable } from "./integer/elementwise.ts";
import { type Collected, type Emitter, makeEmitter, type Said, type Value } from "./integer/emitter.ts";
import { sayAveragePool, sayConv, sayConvTranspose, sayMatMul } from "./integer/linear.ts";
import {
  sayCast,
  sayConcat,
  sayExpand,
  sayGather,
  sayPackNibbles,
  sayPad,
  sayReshape,
  saySlice,
  sayTensorScatter,
  sayTranspose,
  sayUnpackNibbles,
} from "./integer/move.ts";
import {
  sayLayerNorm,
  sayMaxPool,
  sayReduceExtreme,
  sayReduceL2,
  sayReduceMargin,
  sayReduceSum,
  saySoftmax,
} from "./integer/reduce.ts";
import { sayUnpackWeights } from "./integer/weights.ts";

const SAY: ReadonlyMap<string, (said: Said) => void> = new Map([
  ["Add", sayAdd],
  ["AveragePool", sayAveragePool],
  ["Cast", sayCast],
  ["Concat", sayConcat],
  ["Conv", sayConv],
  ["ConvTranspose", sayConvTranspose],
  ["Expand", sayExpand],
  ["Gather", sayGather],
  ["LayerNorm", sayLayerNorm],
  ["MatMul", sayMatMul],
  ["Max", sayExtreme("Max")],
  ["MaxPool", sayMaxPool],
  ["Min", sayExtreme("Min")],
  ["Mul", sayMul],
  ["PackNibbles", sayPackNibbles],
  ["Pad", sayPad],
  ["ReduceL2", sayReduceL2],
  ["ReduceMargin", sayReduceMargin],
  ["ReduceMax", sayReduceExtreme("ReduceMax")],
  ["ReduceMin", sayReduceExtreme("ReduceMin")],
  ["ReduceSum", sayReduceSum],
  ["Rescale", sayRescale],
  ["Reshape", sayReshape],
  ["Slice", saySlice],
  ["Softmax", saySoftmax],
  ["Table", sayTable],
  ["TensorScatter", sayTensorScatter],
  ["Transpose", sayTranspose],
  ["UnpackNibbles", sayUnpackNibbles],
  ["UnpackWeights", sayUnpackWeights],
]);

/** The operators of the `npu` domain that the export knows. */
export const EXPORTED_OPERATORS: readonly string[] = [...SAY.keys()];

export interface IntegerExportOptions {
  /**
   * `codes`: the model takes and gives the integer codes (their scale and zero point stand in the metadata, key
   * `quantization:NAME`). `float`: QuantizeLinear and DequantizeLinear at the border, as the host computes them.
   */
  readonly border?: "codes" | "float";
}

const OPSET = 21;

/**
 * The integer graph in standard ONNX operators: stock ONNX Runtime computes the same bits as the chip, on every CPU and at
 * every optimization level. 8-bit products are uint8·uint8 (uint8·int8 saturates without VNNI), everything after them is
 * int64, and each value keeps its name and codes. Nodes of the CPU read and give real numbers between DequantizeLinear
 * and QuantizeLinear.
 */
export function exportIntegerOnnx(source: Graph, options: IntegerExportOptions = {}): Graph {
  const graph = inferTypes(source);
  const float = options.border === "float";
  const collected: Collected = { nodes: [], constants: new Map() };
  let current: readonly string[] = [];
  const emitter = makeEmitter(collected, namesOf(graph), () => current);
  const border = new Map<string, string>();
  const types = new Map<string, Type>();
  const named = (name: string) => border.get(name) ?? name;

  for (const name of graph.inputs) {
    const type = graph.types.get(name) ?? bug(`the input ${name} has no type`);
    const real = float && type.quant !== undefined;
    types.set(name, real ? { dtype: "float32", shape: type.shape } : plain(type));
    if (real && type.quant) border.set(name, emitQuantize(emitter, name, type, type.quant));
  }
  for (const name of graph.outputs) {
    const type = typeOf(graph, name) ?? bug(`the output ${name} has no type`);
    const real = float && type.quant !== undefined;
    types.set(name, real ? { dtype: "float32", shape: type.shape } : plain(type));
    if (real && !border.has(name)) border.set(name, `${name}/codes`);
  }
  for (const node of graph.nodes) {
    current = node.origin;
    if (node.domain === "npu") sayNode(graph, node, emitter, collected, named);
    else sayHostNode(graph, node, emitter, collected, named);
  }
  current = [];
  for (const name of graph.outputs) {
    const type = typeOf(graph, name);
    if (!float || !type?.quant || graph.inputs.includes(name)) continue;
    emitDequantize(emitter, named(name), type.dtype, type.quant, name);
  }
  for (const name of namedConstants(graph, collected.nodes)) {
    collected.constants.set(name, withoutQuant(graph.constants.get(name) as Tensor));
  }
  return makeGraph({
    name: graph.name,
    inputs: graph.inputs,
    outputs: graph.outputs,
    nodes: collected.nodes,
    constants: collected.constants,
    types,
    states: graph.states,
    opsets: new Map([["", OPSET]]),
    metadata: new Map([...graph.metadata, ...quantizationOf(graph)]),
  });
}

function plain({ dtype, shape }: Type): Type {
  return shape === undefined ? { dtype } : { dtype, shape };
}

function withoutQuant({ dtype, shape, data }: Tensor): Tensor {
  return { dtype, shape, data };
}

function sayNode(
  graph: Graph,
  node: Node,
  emitter: Emitter,
  { constants }: Collected,
  named: (name: string) => string,
) {
  const say = SAY.get(node.op) ?? bug(`npu.${node.op} has no standard form`);
  const describe = (name: string): Value => {
    const type = typeOf(graph, name);
    if (!type || !isStatic(type.shape)) return bug(`${name} has no static type`);
    return { name: named(name), dtype: type.dtype, shape: type.shape };
  };
  const tensor = (index: number) => graph.constants.get(node.inputs[index]);
  say({
    ...emitter,
    node,
    input(index) {
      const name = node.inputs[index];
      const constant = graph.constants.get(name);
      if (constant) constants.set(name, withoutQuant(constant));
      return describe(name);
    },
    typeOf: (index) => describe(node.inputs[index]),
    has: (index) => (node.inputs[index] ?? "") !== "",
    tensor,
    integers: (index) => numbersOf(tensor(index) ?? bug(`input ${index} of npu.${node.op} is not constant`)),
    output: describe(node.outputs[0]),
  });
}

/** A node of the CPU between DequantizeLinear and QuantizeLinear, wherever its values are codes. */
function sayHostNode(
  graph: Graph,
  node: Node,
  emitter: Emitter,
  { nodes }: Collected,
  named: (name: string) => string,
) {
  const inputs = node.inputs.map((name) => {
    const type = name === "" ? undefined : typeOf(graph, name);
    return type?.quant ? emitDequantize(emitter, named(name), type.dtype, type.quant) : named(name);
  });
  const quantized = node.outputs.map((name) => (graph.types.get(name)?.quant ? `${name}/real` : name));
  nodes.push({ ...node, inputs, outputs: quantized });
  node.outputs.forEach((name, index) => {
    const type = graph.types.get(name);
    if (type?.quant) emitQuantize(emitter, quantized[index], type, type.quant, named(name));
  });
}

function emitQuantize(emitter: Emitter, value: string, { dtype }: Type, quant: Quant, output?: string): string {
  const [scale, zero] = parameters(emitter, dtype, quant);
  return emitter.emit("QuantizeLinear", [value, scale, zero], layoutOf(quant), output);
}

function emitDequantize(emitter: Emitter, value: string, dtype: DType, quant: Quant, output?: string): string {
  const [scale, zero] = parameters(emitter, dtype, quant);
  return emitter.emit("DequantizeLinear", [value, scale, zero], layoutOf(quant), output);
}

function layoutOf({ axis, block }: Quant): Record<string, Attr> {
  return { ...(axis !== undefined && { axis: { i: axis } }), ...(block !== undefined && { block_size: { i: block } }) };
}

/** Scale and zero point as constants: scalars for a whole tensor. */
function parameters(emitter: Emitter, dtype: DType, { scale, zeroPoint, axis }: Quant): [string, string] {
  const shape = axis === undefined ? [] : [scale.length];
  const zeros = allocate(dtype, scale.length) as Int32Array;
  for (let index = 0; index < zeros.length; index++) zeros[index] = zeroPoint[zeroPoint.length === 1 ? 0 : index];
  return [emitter.constant({ dtype: "float32", shape, data: scale }), emitter.constant({ dtype, shape, data: zeros })];
}

/** Constants of the integer graph that the emitted nodes (or the outputs) name themselves. */
function namedConstants(graph: Graph, nodes: readonly Node[]): Set<string> {
  const read = [...graph.outputs, ...nodes.flatMap((node) => readsOf(node))];
  return new Set(read.filter((name) => graph.constants.has(name)));
}

/** What the codes at the border stand for, as JSON: real = (code − zeroPoint)·scale. */
function quantizationOf(graph: Graph): [string, string][] {
  return [...graph.inputs, ...graph.outputs].flatMap((name): [string, string][] => {
    const quant = typeOf(graph, name)?.quant;
    if (!quant) return [];
    const value = { scale: [...quant.scale], zeroPoint: [...quant.zeroPoint] };
    return [[`quantization:${name}`, JSON.stringify(value)]];
  });
}
