import { boundOf } from "../checker/bound.ts";
import { timeProgram } from "../emulate/timing.ts";
import type { DType, Graph, Node, Tensor, Type } from "../ir/graph.ts";
import { type ScheduleOptions, schedule } from "../schedule/schedule.ts";
import type { Target } from "../target/schema.ts";

export interface GraphCost {
  readonly cycles: number;
  readonly dramBytes: number;
}

/**
 * What one run of a graph costs on a target; nothing is executed. An integer graph is scheduled and timed. One that is not
 * lowered yet is estimated by its bound, as if every float were an int8 code: good for comparing graphs with each other,
 * not for comparing one with a lowered graph.
 */
export function cost(
  graph: Graph,
  target: Target,
  options: ScheduleOptions & { readonly profile?: string } = {},
): GraphCost {
  if (!graph.nodes.every(({ domain }) => domain === "npu")) {
    const { floorCycles, compulsoryBytes } = boundOf(asInteger(graph), target, options);
    return { cycles: floorCycles, dramBytes: compulsoryBytes };
  }
  const { program } = schedule(graph, target, options);
  const timing = timeProgram(program, target, options.profile === undefined ? {} : { profile: options.profile });
  return { cycles: timing.cycles, dramBytes: timing.dramBytes };
}

/** ONNX operators under the names of the chip's operators that do their work; all others ride on their producers. */
const NAMES: ReadonlyMap<string, string> = new Map([
  ["Conv", "Conv"],
  ["ConvTranspose", "ConvTranspose"],
  ["Gemm", "MatMul"],
  ["MatMul", "MatMul"],
  ["Add", "Add"],
  ["Sub", "Add"],
  ["Mul", "Mul"],
  ["Div", "Mul"],
  ["Max", "Max"],
  ["Min", "Min"],
  ["MaxPool", "MaxPool"],
  ["AveragePool", "AveragePool"],
  ["GlobalAveragePool", "ReduceSum"],
  ["ReduceMean", "ReduceSum"],
  ["ReduceSum", "ReduceSum"],
  ["ReduceL2", "ReduceL2"],
  ["ReduceMax", "ReduceMax"],
  ["ReduceMin", "ReduceMin"],
  ["Softmax", "Softmax"],
  ["LayerNormalization", "LayerNorm"],
  ["RMSNormalization", "LayerNorm"],
]);

function narrow(dtype: DType): DType {
  return dtype.includes("float") ? "int8" : dtype;
}

function asInteger(graph: Graph): Graph {
  const types = new Map<string, Type>();
  for (const [name, type] of graph.types) types.set(name, { ...type, dtype: narrow(type.dtype) });
  const constants = new Map<string, Tensor>();
  for (const [name, tensor] of graph.constants) constants.set(name, { ...tensor, dtype: narrow(tensor.dtype) });
  const nodes = graph.nodes.map((node): Node => {
    const op = node.domain === "" ? NAMES.get(node.op) : undefined;
    if (op === undefined) return node;
    // Weights of a Gemm may be stored transposed; its product is the same size either way.
    const inputs = op === "Conv" || op === "ConvTranspose" ? node.inputs : node.inputs.slice(0, 2);
    if (node.op === "Gemm") transposeWeights(node, graph, constants, types);
    return { ...node, op, domain: "npu", inputs };
  });
  return { ...graph, types, constants, nodes };
}

function transposeWeights(node: Node, graph: Graph, constants: Map<string, Tensor>, types: Map<string, Type>): void {
  const flipped = node.attrs.get("transB");
  if (flipped === undefined || !("i" in flipped) || Number(flipped.i) === 0) return;
  const [, name] = node.inputs;
  const constant = graph.constants.get(name);
  if (constant) {
    constants.set(name, { ...constant, dtype: narrow(constant.dtype), shape: [...constant.shape].reverse() });
  }
  const type = graph.types.get(name);
  if (type?.shape) types.set(name, { ...type, dtype: narrow(type.dtype), shape: [...type.shape].reverse() });
}
