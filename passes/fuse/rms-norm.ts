import { channelValues, fromReals, numberOf } from "../../src/ir/channels.ts";
import { attrs, type Graph, intAttr } from "../../src/ir/graph.ts";
import { constant, rewrite } from "../../src/ir/rewrite.ts";
import { numbersOf } from "../../src/ir/tensor.ts";
import type { Pass } from "../../src/pass.ts";

const SQUARES = ["p = Pow(x, 2.0)", "p = Mul(x, x)"];
const QUOTIENTS = ["y = Div(x, s)", "r = Reciprocal(s)\n y = Mul(x, r)", "r = Div(1.0, s)\n y = Mul(x, r)"];

/** `x / √(mean(x²) + epsilon)` over the last axis (arXiv 1910.07467), with a scale of ones. */
const normalize = rewrite({
  summary: "the normalization itself",
  opset: 23,
  constants: ["epsilon", "axes"],
  match: SQUARES.flatMap((square) =>
    QUOTIENTS.map(
      (quotient) => `${square}\n v = ReduceMean(p, axes)\n e = Add(v, epsilon)\n s = Sqrt(e)\n ${quotient}`,
    ),
  ),
  replace({ value, node, tensor, type }) {
    const [epsilon, axes, shape] = [numberOf(tensor("epsilon")), tensor("axes"), type("x")?.shape];
    if (epsilon === undefined || !axes || !shape || intAttr(node("v"), "keepdims", 1) !== 1) return undefined;
    const given = numbersOf(axes);
    const [size, dtype] = [shape.at(-1), type("x")?.quant === undefined ? type("x")?.dtype : "float32"];
    if (given.length !== 1 || (given[0] !== -1 && given[0] !== shape.length - 1)) return undefined;
    if (typeof size !== "number" || dtype === undefined) return undefined;
    return {
      op: "RMSNormalization",
      inputs: [value("x"), constant(fromReals(dtype, [size], new Float64Array(size).fill(1)), "gamma")],
      attrs: attrs({ axis: { i: -1 }, epsilon: { f: Math.fround(epsilon) } }),
    };
  },
});

/** A scale after it, one number for each place on the last axis, is its own. */
const scale = rewrite({
  summary: "the scale",
  constants: ["c"],
  match: "y = RMSNormalization(x, gamma) axis=-1\n z = Mul(y, c)",
  replace({ value, tensor, attrs: attrsOf, type }) {
    const [gamma, given, rank] = [tensor("gamma"), tensor("c"), type("y")?.shape?.length];
    if (!gamma || !given || rank === undefined || gamma.shape.length !== 1) return undefined;
    const size = gamma.shape[0];
    const [own, more] = [channelValues(gamma, 1, 0, size), channelValues(given, rank, rank - 1, size)];
    if (!own || !more) return undefined;
    const product = own.map((each, index) => each * more[index]);
    return {
      op: "RMSNormalization",
      inputs: [value("x"), constant(fromReals(gamma.dtype, [size], product), "gamma")],
      attrs: attrsOf("y"),
    };
  },
});

const pass: Pass = {
  summary: "Makes RMSNormalization of Pow, ReduceMean, Sqrt and Div, with the scale after it.",
  run: (graph: Graph, context) => {
    const normalized = normalize.run(graph);
    return scale.run(normalized === graph ? graph : context.infer(normalized));
  },
};

export default pass;
