import { type Builder, rebuild } from "../../src/ir/build.ts";
import {
  elementCount,
  floatAttr,
  type Graph,
  intAttr,
  isStatic,
  type Node,
  type Tensor,
  typeOf,
} from "../../src/ir/graph.ts";
import { decode, encode } from "../../src/ir/numbers.ts";
import { float32 } from "../../src/ir/tensor.ts";
import type { Pass } from "../../src/pass.ts";

/**
 * The array computes A·B + c with constant B and one constant number of c a column. A Gemm that says more is taken apart:
 * `αA'B' + βC` with the factors in the constants, Transposes where the operands are transposed, and C added when it is a
 * matrix or computed.
 */
const pass: Pass = {
  summary: "Takes a Gemm with computed weights, a computed bias or a matrix of biases apart into MatMul, Mul and Add.",
  run: (graph) =>
    rebuild(graph, (node, build) => node.op === "Gemm" && node.domain === "" && takeApart(graph, node, build)),
};

export default pass;

function takeApart(graph: Graph, node: Node, build: Builder): boolean {
  const [a, b, c = ""] = node.inputs;
  const [type, factor] = [typeOf(graph, a), typeOf(graph, b)];
  if (type?.dtype !== "float32" || !isStatic(type.shape) || !isStatic(factor?.shape)) return false;
  const [alpha, beta] = [floatAttr(node, "alpha", 1), floatAttr(node, "beta", 1)];
  const transB = intAttr(node, "transB", 0) !== 0;
  const columns = factor.shape[transB ? 0 : 1];
  const weights = plainConstant(graph, b);
  const bias = plainConstant(graph, c);
  const count = bias && elementCount(bias.shape);
  const flat = c === "" || count === 1 || (count === columns && bias?.shape.at(-1) === columns);
  if (weights && flat && alpha === 1 && (c === "" || beta === 1)) return false;
  const left = intAttr(node, "transA", 0) !== 0 ? build.node("Transpose", [a], { perm: { ints: [1, 0] } }) : a;
  const output = node.outputs[0];
  if (!weights) {
    const right = transB ? build.node("Transpose", [b], { perm: { ints: [1, 0] } }) : b;
    const bare = alpha === 1 && c === "";
    const product = build.node("MatMul", [left, right], {}, bare ? output : undefined);
    if (bare) return true;
    const scaled =
      alpha === 1 ? product : build.node("Mul", [product, float32([], [alpha])], {}, c === "" ? output : undefined);
    if (c !== "") addBias(scaled, c, bias, beta, build, output);
    return true;
  }
  const scaled = alpha === 1 ? b : times(weights, alpha);
  const attributes = { transB: { i: transB ? 1 : 0 } };
  if (c === "") build.node("Gemm", [left, scaled], attributes, output);
  else if (flat && bias) build.node("Gemm", [left, scaled, beta === 1 ? c : times(bias, beta)], attributes, output);
  else addBias(build.node("Gemm", [left, scaled], attributes), c, bias, beta, build, output);
  return true;
}

function plainConstant(graph: Graph, name: string): Tensor | undefined {
  const tensor = graph.inputs.includes(name) ? undefined : graph.constants.get(name);
  return tensor?.quant ? undefined : tensor;
}

function times(tensor: Tensor, factor: number): Tensor {
  const values = Float64Array.from(decode(tensor) as ArrayLike<number>, (value) => value * factor);
  return { dtype: tensor.dtype, shape: tensor.shape, data: encode(tensor.dtype, values) };
}

function addBias(
  product: string,
  name: string,
  bias: Tensor | undefined,
  beta: number,
  build: Builder,
  output: string,
): void {
  const scaled = beta === 1 ? name : bias ? times(bias, beta) : build.node("Mul", [name, float32([], [beta])]);
  build.node("Add", [product, scaled], {}, output);
}
