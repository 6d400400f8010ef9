import { type Builder, rebuild } from "../../src/ir/build.ts";
import { elementCount, floatAttr, type Graph, intAttr, isStatic, type Node, typeOf } from "../../src/ir/graph.ts";
import { decode, encode } from "../../src/ir/numbers.ts";
import { float32 } from "../../src/ir/tensor.ts";
import type { Pass } from "../../src/pass.ts";

/**
 * The array computes A·B + c with constant B and one constant number of c a column. A Gemm that says more is taken apart:
 * `αA'B' + βC` with Transposes where the operands are transposed, and C added when it is a matrix or computed.
 */
const pass: Pass = {
  summary: "Takes a Gemm with computed weights, a computed bias or a matrix of biases apart into MatMul, Mul and Add.",
  run: (graph) =>
    rebuild(graph, (node, build) => node.op === "Gemm" && node.domain === "" && takeApart(graph, node, build)),
};

export default pass;

function takeApart(graph: Graph, node: Node, build: Builder): boolean {
  const [a, b, c = ""] = node.inputs;
  const types = [a, b].map((name) => typeOf(graph, name));
  if (types.some((type) => type?.dtype !== "float32" || !isStatic(type.shape))) return false;
  const alpha = floatAttr(node, "alpha", 1);
  const beta = floatAttr(node, "beta", 1);
  const transB = intAttr(node, "transB", 0) !== 0;
  const shape = types[1]?.shape as number[];
  const columns = shape[transB ? 0 : 1];
  const weights = graph.inputs.includes(b) ? undefined : graph.constants.get(b);
  const bias = graph.inputs.includes(c) ? undefined : graph.constants.get(c);
  const flat =
    bias && (elementCount(bias.shape) === 1 || (elementCount(bias.shape) === columns && bias.shape.at(-1) === columns));
  const fits = weights !== undefined && !weights.quant && alpha > 0;
  if (fits && (c === "" || flat)) return false;
  const left = intAttr(node, "transA", 0) !== 0 ? build.node("Transpose", [a], { perm: { ints: [1, 0] } }) : a;
  if (fits) {
    const product = build.node("Gemm", [left, b], { transB: { i: transB ? 1 : 0 }, alpha: { f: alpha } });
    addBias(product, c, beta, build, node.outputs[0]);
    return true;
  }
  const right = transB ? build.node("Transpose", [b], { perm: { ints: [1, 0] } }) : b;
  const last = alpha === 1 && c === "";
  const product = build.node("MatMul", [left, right], {}, last ? node.outputs[0] : undefined);
  if (last) return true;
  const scaled =
    alpha === 1
      ? product
      : build.node("Mul", [product, float32([], [alpha])], {}, c === "" ? node.outputs[0] : undefined);
  if (c === "") return true;
  if (!bias || bias.quant) addBias(scaled, c, beta, build, node.outputs[0]);
  else {
    const values = Float64Array.from(decode(bias) as ArrayLike<number>, (value) => value * beta);
    const constant = { dtype: bias.dtype, shape: bias.shape, data: encode(bias.dtype, values) };
    build.node("Add", [scaled, constant], {}, node.outputs[0]);
  }
  return true;
}

function addBias(product: string, bias: string, beta: number, build: Builder, name: string): void {
  const scaled = beta === 1 ? bias : build.node("Mul", [bias, float32([], [beta])]);
  build.node("Add", [product, scaled], {}, name);
}
