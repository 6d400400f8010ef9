import { type Builder, rebuild } from "../../src/ir/build.ts";
import {
  type Attr,
  elementCount,
  type Graph,
  intAttr,
  isStatic,
  type Node,
  type Tensor,
  typeOf,
} from "../../src/ir/graph.ts";
import { numbersOf } from "../../src/ir/tensor.ts";
import type { Pass } from "../../src/pass.ts";

/** A product of more numbers than this along an axis would round too often to be worth it. */
const FACTORS = 16;

/** So many squares of 16-bit codes fit the root that the chip takes of a sum (docs/integer-semantics.md, ReduceL2). */
const ROOTED = 3;

/**
 * The chip sums; other reductions are functions around a sum: `‖x‖₁ = Σ|x|`, `‖x‖₂ = √Σx²`, `log Σeˣ = m + log Σe^(x − m)` with
 * m = max x. The length of a short vector is its own. A short product is a tree of products of halves.
 */
const pass: Pass = {
  summary: "Says ReduceL1, L2, SumSquare, LogSum, LogSumExp and short products with sums, products and functions.",
  run: (graph) => rebuild(graph, (node, build) => node.domain === "" && reduce(graph, node, build)),
};

export default pass;

/** Whether the chip's own root takes it: reduced axes of few elements together. */
function isShort(axes: Tensor | undefined, shape: readonly number[]): boolean {
  const given = axes ? numbersOf(axes) : [];
  const reduced = given.length > 0 ? given.map((axis) => shape.at(axis) ?? 1) : shape;
  return elementCount(reduced) <= ROOTED;
}

function reduce(graph: Graph, node: Node, build: Builder): boolean {
  if (!/^Reduce(L1|L2|SumSquare|LogSum|LogSumExp|Prod)$/.test(node.op)) return false;
  const type = typeOf(graph, node.inputs[0]);
  const shape = type?.shape;
  if (type?.dtype !== "float32" || !isStatic(shape)) return false;
  const axesTensor = node.inputs[1] ? graph.constants.get(node.inputs[1]) : undefined;
  const noop = intAttr(node, "noop_with_empty_axes", 0) !== 0;
  if ((node.inputs[1] && !axesTensor) || (noop && !node.inputs[1])) return false;
  const [x] = node.inputs;
  const [output] = node.outputs;
  const kept: Record<string, Attr> = { keepdims: { i: intAttr(node, "keepdims", 1) } };
  const sum = (value: string, name?: string) => build.node("ReduceSum", [value, ...node.inputs.slice(1)], kept, name);
  switch (node.op) {
    case "ReduceL1":
      sum(build.node("Abs", [x]), output);
      return true;
    case "ReduceL2":
      if (isShort(axesTensor, shape)) return false;
      build.node("Sqrt", [sum(build.node("Mul", [x, x]))], {}, output);
      return true;
    case "ReduceSumSquare":
      sum(build.node("Mul", [x, x]), output);
      return true;
    case "ReduceLogSum":
      build.node("Log", [sum(x)], {}, output);
      return true;
    case "ReduceLogSumExp": {
      const top = build.node("ReduceMax", [x, ...node.inputs.slice(1)], { keepdims: { i: 1 } });
      const log = build.node("Log", [sum(build.node("Exp", [build.node("Sub", [x, top])]))]);
      const own = typeOf(graph, output)?.shape;
      if (!isStatic(own)) return false;
      build.node("Add", [log, build.reshape(top, own)], {}, output);
      return true;
    }
    default:
      return product(graph, node, build, axesTensor ? numbersOf(axesTensor) : shape.map((_, axis) => axis), shape);
  }
}

function product(graph: Graph, node: Node, build: Builder, axes: readonly number[], shape: readonly number[]): boolean {
  const own = typeOf(graph, node.outputs[0])?.shape;
  if (axes.length !== 1 || !isStatic(own)) return false;
  const axis = axes[0] < 0 ? axes[0] + shape.length : axes[0];
  if (shape[axis] < 1 || shape[axis] > FACTORS) return false;
  let factors = Array.from({ length: shape[axis] }, (_, at) => build.slice(node.inputs[0], axis, at, at + 1));
  while (factors.length > 1) {
    const pairs: string[] = [];
    for (let at = 0; at + 1 < factors.length; at += 2) pairs.push(build.node("Mul", [factors[at], factors[at + 1]]));
    if (factors.length % 2 === 1) pairs.push(factors[factors.length - 1]);
    factors = pairs;
  }
  build.reshape(factors[0], own, node.outputs[0]);
  return true;
}
