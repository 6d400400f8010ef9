import { fromReals, realsOf } from "../../src/ir/channels.ts";
import { floatAttr, intAttr } from "../../src/ir/graph.ts";
import { constant, rewrite } from "../../src/ir/rewrite.ts";

/**
 * As for Conv, but the weights of ConvTranspose are [inputs, outputs / group, …]: output channel `j` of group `i` stands in
 * column `j` of that group's rows.
 */
export default rewrite({
  summary: "Folds a BatchNormalization into the weights of the ConvTranspose before it.",
  match: `
    y = ConvTranspose(x, w, b?)
    z = BatchNormalization(y, gamma, beta, mean, variance)
  `,
  replace({ value, has, node, attrs, tensor, tensors }) {
    const found = tensors("w", "gamma", "beta", "mean", "variance");
    if (!found || intAttr(node("z"), "training_mode", 0) === 1 || (has("b") && !tensor("b"))) return undefined;
    const [weights, gamma, beta, mean, variance] = [found.w, found.gamma, found.beta, found.mean, found.variance].map(
      realsOf,
    );
    const given = tensor("b");
    const bias = given === undefined ? new Float64Array(gamma?.length ?? 0) : realsOf(given);
    if (!weights || !gamma || !beta || !mean || !variance || !bias) return undefined;
    const epsilon = floatAttr(node("z"), "epsilon", 1e-5);
    const factors = gamma.map((scale, channel) => scale / Math.sqrt(variance[channel] + epsilon));
    const shift = bias.map((each, channel) => factors[channel] * (each - mean[channel]) + beta[channel]);
    const [rows, columns] = found.w.shape;
    const rowsOfGroup = rows / intAttr(node("y"), "group", 1);
    const plane = weights.length / (rows * columns);
    const scaled = weights.map((weight, index) => {
      const row = Math.floor(index / (columns * plane));
      const column = Math.floor(index / plane) % columns;
      return weight * factors[Math.floor(row / rowsOfGroup) * columns + column];
    });
    const { dtype, shape } = found.w;
    return {
      op: "ConvTranspose",
      inputs: [
        value("x"),
        constant(fromReals(dtype, shape, scaled), "w"),
        constant(fromReals(dtype, [shift.length], shift), "beta"),
      ],
      attrs: attrs("y"),
    };
  },
});
