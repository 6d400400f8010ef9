import { numberOf } from "../../src/ir/channels.ts";
import { attrs } from "../../src/ir/graph.ts";
import { rewrite } from "../../src/ir/rewrite.ts";

const SIXTHS = [
  "a = Add(x, 3.0)\n b = Clip(a, 0.0, 6.0)\n y = Div(b, 6.0)",
  "a = Add(x, 3.0)\n b = Clip(a, 0.0, 6.0)\n y = Mul(b, 0.16666667)",
];

/** `clip(x + 3, 0, 6) / 6 = clip(x/6 + 1/2, 0, 1)`, which is HardSigmoid with alpha 1/6 and beta 1/2. */
export default rewrite({
  summary: "Makes HardSigmoid of a line that is clipped between 0 and 1, also as Add, Clip and Div.",
  constants: ["slope", "shift"],
  match: [...SIXTHS, "a = Mul(x, slope)\n b = Add(a, shift)\n y = Clip(b, 0.0, 1.0)"],
  replace({ value, tensor, alternative }) {
    const line = alternative < SIXTHS.length ? [1 / 6, 0.5] : [numberOf(tensor("slope")), numberOf(tensor("shift"))];
    const [alpha, beta] = line;
    if (alpha === undefined || beta === undefined) return undefined;
    return {
      op: "HardSigmoid",
      inputs: [value("x")],
      attrs: attrs({ alpha: { f: Math.fround(alpha) }, beta: { f: Math.fround(beta) } }),
    };
  },
});
