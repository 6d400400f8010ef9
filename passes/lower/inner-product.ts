import { elementCount, isStatic, attrs as makeAttrs, type Tensor } from "../../src/ir/graph.ts";
import { constant, type Found, type NewNode, rewrite } from "../../src/ir/rewrite.ts";
import { int64, makeTensor, valuesOf } from "../../src/ir/tensor.ts";
import type { Pass } from "../../src/pass.ts";

const biased = rewrite({
  summary: "A product and its bias.",
  match: `
    y = MatMul(x, w)
    z = Add(y, b)
  `,
  replace(found) {
    const bias = found.tensor("b");
    return bias && innerProduct(found, bias);
  },
});

const plain = rewrite({
  summary: "A product alone.",
  match: "z = MatMul(x, w)",
  replace: (found) => innerProduct(found, undefined),
});

/**
 * A product with constant weights is the chip's inner product, whatever the rank: the leading axes are rows. Its bias
 * then starts the accumulator instead of costing an addition of its own. The Reshapes move no bytes.
 */
const pass: Pass = {
  summary: "Makes a MatMul with constant weights, and the bias added to it, one Gemm over flattened rows.",
  run: (graph) => plain.run(biased.run(graph)),
};

export default pass;

function innerProduct({ value, tensor, type, fresh }: Found, bias: Tensor | undefined): NewNode[] | undefined {
  const weights = tensor("w");
  const shape = type("x")?.shape;
  if (weights?.shape.length !== 2 || !isStatic(shape) || shape.length < 2) return undefined;
  const channels = weights.shape[1];
  if (bias && (elementCount(bias.shape) !== channels || bias.shape.at(-1) !== channels)) return undefined;
  const isFlat = shape.length === 2;
  const flat = isFlat ? value("x") : fresh(`${value("x")}/rows`);
  const product = isFlat ? value("z") : fresh(`${value("z")}/rows`);
  const inputs = [flat, value("w")];
  const vector = bias && constant(makeTensor(bias.dtype, [channels], valuesOf(bias)), "b");
  const gemm: NewNode = { op: "Gemm", inputs: vector ? [...inputs, vector] : inputs, outputs: [product] };
  if (isFlat) return [gemm];
  return [
    reshape(value("x"), flat, [elementCount(shape.slice(0, -1)), shape[shape.length - 1]]),
    gemm,
    reshape(product, value("z"), [...shape.slice(0, -1), channels]),
  ];
}

function reshape(from: string, to: string, shape: readonly number[]): NewNode {
  const target = constant(int64([shape.length], shape), "shape");
  return { op: "Reshape", inputs: [from, target], outputs: [to], attrs: makeAttrs({}) };
}
