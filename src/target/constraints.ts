/**
 * What the chip's operators require, each with its sentence: it is the user's error, the warning in the report and the
 * line in the documentation. A node that breaks one is not run on the chip.
 */
import { type DType, type Graph, intsAttr, isStatic, type Node, typeOf } from "../ir/graph.ts";
import type { Target } from "./schema.ts";

export interface Constraint {
  readonly says: string;
  holds(node: Node, graph: Graph): boolean;
}

/** Where an operator of the `npu` domain runs. `move` ones may vanish into addresses. */
export type Unit = "array" | "vector" | "move";

const UNITS: ReadonlyMap<string, Unit> = new Map<string, Unit>([
  ["Conv", "array"],
  ["ConvTranspose", "array"],
  ["MatMul", "array"],
  ["UnpackWeights", "array"],
  ["PackNibbles", "vector"],
  ["UnpackNibbles", "vector"],
  ["Add", "vector"],
  ["Mul", "vector"],
  ["Rescale", "vector"],
  ["Table", "vector"],
  ["MaxPool", "vector"],
  ["AveragePool", "vector"],
  ["ReduceSum", "vector"],
  ["ReduceL2", "vector"],
  ["ReduceMargin", "vector"],
  ["ReduceMax", "vector"],
  ["ReduceMin", "vector"],
  ["Max", "vector"],
  ["Min", "vector"],
  ["Softmax", "vector"],
  ["LayerNorm", "vector"],
  ["Gather", "move"],
  ["TensorScatter", "move"],
  ["Reshape", "move"],
  ["Transpose", "move"],
  ["Slice", "move"],
  ["Concat", "move"],
  ["Pad", "move"],
  ["Expand", "move"],
  ["Cast", "move"],
]);

/** The unit of an `npu` operator; undefined for one that the chip does not know. */
export function unitOf(node: Node): Unit | undefined {
  return node.domain === "npu" ? UNITS.get(node.op) : undefined;
}

/** Operators of the chip in the order of the table. */
export function supportedOperators(): [string, Unit][] {
  return [...UNITS];
}

function shapesOf(node: Node, graph: Graph): (readonly number[] | undefined)[] {
  return [...node.inputs, ...node.outputs]
    .filter((name) => name !== "")
    .map((name) => {
      const shape = typeOf(graph, name)?.shape;
      return isStatic(shape) ? shape : undefined;
    });
}

function dtypeOf(node: Node, graph: Graph, input: number): DType | undefined {
  return typeOf(graph, node.inputs[input] ?? "")?.dtype;
}

function everyInt(node: Node, attribute: string, limit: number): boolean {
  return (intsAttr(node, attribute) ?? []).every((value) => value >= 1 && value <= limit);
}

const CODES: readonly (DType | undefined)[] = ["int8", "uint8", "int16", "int32"];

/** All that must hold for a node of the operator `op` on this target. */
export function constraintsOf(op: string, target: Target): Constraint[] {
  const { limits } = target;
  const common: Constraint[] = [
    { says: `${target.name} has the operator ${op}`, holds: () => !target.lacks.includes(op) },
    {
      says: "every shape is known when the model is compiled and has no axis of size 0",
      holds: (node, graph) => shapesOf(node, graph).every((shape) => shape?.every((size) => size >= 1) ?? false),
    },
    {
      says: `a tensor has at most ${limits.rank} axes`,
      holds: (node, graph) => shapesOf(node, graph).every((shape) => (shape?.length ?? 0) <= limits.rank),
    },
    {
      says: "data is stored as int8, uint8, int16 or int32 codes",
      holds: (node, graph) => CODES.includes(dtypeOf(node, graph, 0)),
    },
  ];
  const window: Constraint[] = [
    { says: `strides are at most ${limits.stride}`, holds: (node) => everyInt(node, "strides", limits.stride) },
    { says: `dilations are at most ${limits.dilation}`, holds: (node) => everyInt(node, "dilations", limits.dilation) },
    {
      says: "windows slide over one or two axes",
      holds: (node, graph) => [3, 4].includes(typeOf(graph, node.inputs[0])?.shape?.length ?? 0),
    },
  ];
  switch (op) {
    case "UnpackWeights":
      return [
        ...common.slice(0, -1),
        {
          says: "weights of 4 bits, and their multipliers, are constants",
          holds: (node, graph) => node.inputs.every((name) => name === "" || graph.constants.has(name)),
        },
      ];
    case "PackNibbles":
    case "UnpackNibbles":
      return [
        ...common,
        {
          says: "the vector unit packs codes of 4 bits, which caches in 8 bits need not",
          holds: () => target.vector.packsNibbles === true,
        },
      ];
    case "Conv":
    case "ConvTranspose":
      return [
        ...common,
        ...window,
        {
          says: `kernels are at most ${limits.kernel} wide and high`,
          holds: (node, graph) =>
            (typeOf(graph, node.inputs[1])?.shape ?? []).slice(2).every((size) => Number(size) <= limits.kernel),
        },
        { says: "weights are int8", holds: (node, graph) => dtypeOf(node, graph, 1) === "int8" },
      ];
    case "MatMul":
      return [
        ...common,
        { says: "the right operand is int8", holds: (node, graph) => dtypeOf(node, graph, 1) === "int8" },
      ];
    case "MaxPool":
    case "AveragePool":
      return [
        ...common,
        ...window,
        {
          says: `pooling windows are at most ${limits.poolKernel} wide and high`,
          holds: (node) => everyInt(node, "kernel_shape", limits.poolKernel),
        },
      ];
    default:
      return common;
  }
}
