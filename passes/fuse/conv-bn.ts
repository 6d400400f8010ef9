import { fromReals, realsOf, scaleAxis } from "../../src/ir/channels.ts";
import { floatAttr, intAttr } from "../../src/ir/graph.ts";
import { constant, rewrite } from "../../src/ir/rewrite.ts";

/**
 * A convolution is linear, so the scale and shift that follow it can move into its weights:
 * `g·(w∗x + b − mean) + beta` is `(g·w)∗x + (g·(b − mean) + beta)`, with `g = gamma / √(variance + epsilon)`.
 */
export default rewrite({
  summary: "Folds a BatchNormalization into the weights of the Conv before it.",
  match: `
    y = Conv(x, w, b?)
    z = BatchNormalization(y, gamma, beta, mean, variance)
  `,
  replace({ value, has, node, attrs, tensors }) {
    if (intAttr(node("z"), "training_mode", 0) === 1) return undefined;
    const found = tensors("w", "gamma", "beta", "mean", "variance");
    if (!found || (has("b") && !tensors("b"))) return undefined;
    const [gamma, beta, mean, variance] = [found.gamma, found.beta, found.mean, found.variance].map(realsOf);
    const bias = has("b") ? realsOf(tensors("b")!.b) : new Float64Array(found.w.shape[0]);
    if (!gamma || !beta || !mean || !variance || !bias || !realsOf(found.w)) return undefined;
    const epsilon = floatAttr(node("z"), "epsilon", 1e-5);
    const factors = gamma.map((scale, channel) => scale / Math.sqrt(variance[channel] + epsilon));
    const shift = bias.map((each, channel) => factors[channel] * (each - mean[channel]) + beta[channel]);
    const scaled = scaleAxis(found.w, 0, factors);
    return {
      op: "Conv",
      inputs: [value("x"), constant(scaled, "w"), constant(fromReals(found.w.dtype, [shift.length], shift), "beta")],
      attrs: attrs("y"),
    };
  },
});
