import { fromReals, realsOf } from "../../src/ir/channels.ts";
import { floatAttr, intAttr, logical } from "../../src/ir/graph.ts";
import { constant, rewrite } from "../../src/ir/rewrite.ts";

/** With constant statistics `gamma·(x − mean)/√(variance + epsilon) + beta` is `g·x + s`, one g and one s a channel. */
export default rewrite({
  summary: "Turns a BatchNormalization that no convolution can take into Mul and Add.",
  match: "y = BatchNormalization(x, gamma, beta, mean, variance)",
  replace({ value, node, tensors, type, fresh }) {
    const found = tensors("gamma", "beta", "mean", "variance");
    const output = type("y");
    const rank = type("x")?.shape?.length;
    if (!found || rank === undefined || rank < 2 || intAttr(node("y"), "training_mode", 0) === 1) return undefined;
    const [gamma, beta, mean, variance] = [found.gamma, found.beta, found.mean, found.variance].map(realsOf);
    if (!gamma || !beta || !mean || !variance) return undefined;
    const epsilon = floatAttr(node("y"), "epsilon", 1e-5);
    const factors = gamma.map((scale, channel) => scale / Math.sqrt(variance[channel] + epsilon));
    const shift = factors.map((factor, channel) => beta[channel] - factor * mean[channel]);
    const shape = [gamma.length, ...new Array<number>(rank - 2).fill(1)];
    const { dtype } = found.gamma;
    const scaled = fresh(`${value("y")}_scaled`, output && logical(output));
    return [
      { op: "Mul", inputs: [value("x"), constant(fromReals(dtype, shape, factors), "gamma")], outputs: [scaled] },
      { op: "Add", inputs: [scaled, constant(fromReals(dtype, shape, shift), "beta")] },
    ];
  },
});
