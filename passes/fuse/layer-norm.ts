import { channelValues, fromReals, numberOf } from "../../src/ir/channels.ts";
import { attrs, type Graph, intAttr, type Tensor, type Type } from "../../src/ir/graph.ts";
import { constant, rewrite } from "../../src/ir/rewrite.ts";
import { numbersOf } from "../../src/ir/tensor.ts";
import type { Pass } from "../../src/pass.ts";

const SQUARES = ["p = Pow(d, 2.0)", "p = Mul(d, d)"];
const QUOTIENTS = ["y = Div(d, s)", "r = Reciprocal(s)\n y = Mul(d, r)", "r = Div(1.0, s)\n y = Mul(d, r)"];

/** Is it the last axis alone? */
function isLast(axes: Tensor | undefined, type: Type | undefined): boolean {
  if (axes === undefined || type?.shape === undefined) return false;
  const given = numbersOf(axes);
  return given.length === 1 && (given[0] === -1 || given[0] === type.shape.length - 1);
}

/** `(x − mean) / √(mean((x − mean)²) + epsilon)` over the last axis, with a scale of ones. */
const normalize = rewrite({
  summary: "the normalization itself",
  constants: ["epsilon", "axes", "axes2"],
  match: SQUARES.flatMap((square) =>
    QUOTIENTS.map(
      (quotient) => `
        m = ReduceMean(x, axes)
        d = Sub(x, m)
        ${square}
        v = ReduceMean(p, axes2)
        e = Add(v, epsilon)
        s = Sqrt(e)
        ${quotient}`,
    ),
  ),
  replace({ value, node, tensor, type }) {
    const epsilon = numberOf(tensor("epsilon"));
    const keeps = intAttr(node("m"), "keepdims", 1) === 1 && intAttr(node("v"), "keepdims", 1) === 1;
    if (!keeps || epsilon === undefined || !isLast(tensor("axes"), type("x")) || !isLast(tensor("axes2"), type("x")))
      return undefined;
    const size = type("x")?.shape?.at(-1);
    const dtype = type("x")?.quant === undefined ? type("x")?.dtype : "float32";
    if (typeof size !== "number" || dtype === undefined) return undefined;
    const ones = fromReals(dtype, [size], new Float64Array(size).fill(1));
    return {
      op: "LayerNormalization",
      inputs: [value("x"), constant(ones, "gamma")],
      attrs: attrs({ axis: { i: -1 }, epsilon: { f: Math.fround(epsilon) } }),
    };
  },
});

/** A scale or shift after it, one number for each place on the last axis, is LayerNormalization's own. */
const affine = rewrite({
  summary: "the scale and shift",
  constants: ["c"],
  match: [
    "y = LayerNormalization(x, gamma, beta?)\n z = Mul(y, c)",
    "y = LayerNormalization(x, gamma, beta?)\n z = Add(y, c)",
  ],
  replace({ value, has, node, tensor, attrs: attrsOf, type }) {
    const [gamma, beta, given] = [tensor("gamma"), has("beta") ? tensor("beta") : undefined, tensor("c")];
    const rank = type("y")?.shape?.length;
    if (!gamma || !given || rank === undefined || (has("beta") && !beta) || gamma.shape.length !== 1) return undefined;
    const axis = intAttr(node("y"), "axis", -1);
    const size = gamma.shape[0];
    const numbers = channelValues(given, rank, rank - 1, size);
    const scale = channelValues(gamma, 1, 0, size);
    const shift = beta ? channelValues(beta, 1, 0, size) : new Float64Array(size);
    if ((axis !== -1 && axis !== rank - 1) || !numbers || !scale || !shift) return undefined;
    const isScale = node("z").op === "Mul";
    const newScale = isScale ? scale.map((each, index) => each * numbers[index]) : scale;
    const newShift = shift.map((each, index) => (isScale ? each * numbers[index] : each + numbers[index]));
    const tensors = [constant(fromReals(gamma.dtype, [size], newScale), "gamma")];
    if (beta || !isScale) tensors.push(constant(fromReals(gamma.dtype, [size], newShift), beta ? "beta" : "c"));
    return { op: "LayerNormalization", inputs: [value("x"), ...tensors], attrs: attrsOf("y") };
  },
});

/** First the normalization, then what scales and shifts it: the parts may stand alone in a model. */
const pass: Pass = {
  summary: "Makes LayerNormalization of ReduceMean, Sub, Pow, Sqrt and Div, with the scale and shift after it.",
  run: (graph: Graph, context) => {
    const normalized = normalize.run(graph);
    return affine.run(normalized === graph ? graph : context.infer(normalized));
  },
};

export default pass;
