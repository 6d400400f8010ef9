import { numberOf } from "../../src/ir/channels.ts";
import { attrs } from "../../src/ir/graph.ts";
import { rewrite } from "../../src/ir/rewrite.ts";

/** `x · sigmoid(alpha · x)` is Swish (SiLU where alpha is 1), an operator of its own since opset 24. */
export default rewrite({
  summary: "Makes Swish of x · Sigmoid(x).",
  opset: 24,
  constants: ["alpha"],
  match: ["s = Sigmoid(x)\n y = Mul(x, s)", "a = Mul(x, alpha)\n s = Sigmoid(a)\n y = Mul(x, s)"],
  replace({ value, tensor, alternative }) {
    const alpha = alternative === 0 ? 1 : numberOf(tensor("alpha"));
    if (alpha === undefined) return undefined;
    return { op: "Swish", inputs: [value("x")], attrs: attrs({ alpha: { f: alpha } }) };
  },
});
