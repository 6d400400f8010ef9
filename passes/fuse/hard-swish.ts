import { rewrite } from "../../src/ir/rewrite.ts";

const CLIPPED = "a = Add(x, 3.0)\n c = Clip(a, 0.0, 6.0)\n";

/** `x · clip(x + 3, 0, 6) / 6`, in the orders that exporters write it (PaddlePaddle divides last). */
export default rewrite({
  summary: "Makes HardSwish of x · HardSigmoid(x), also as Add, Clip, Mul and Div.",
  match: [
    "a = HardSigmoid(x) alpha=0.16666667 beta=0.5\n y = Mul(x, a)",
    `${CLIPPED} m = Mul(x, c)\n y = Div(m, 6.0)`,
    `${CLIPPED} m = Mul(x, c)\n y = Mul(m, 0.16666667)`,
    `${CLIPPED} d = Div(c, 6.0)\n y = Mul(x, d)`,
    `${CLIPPED} d = Mul(c, 0.16666667)\n y = Mul(x, d)`,
    `${CLIPPED} d = Div(x, 6.0)\n y = Mul(d, c)`,
    `${CLIPPED} d = Mul(x, 0.16666667)\n y = Mul(d, c)`,
  ],
  replace: ({ value }) => ({ op: "HardSwish", inputs: [value("x")] }),
});
