import { stringAttr } from "../ir/graph.ts";
import { exactSlope, tanhSlope } from "./gradient/gelu.ts";
import type { Op } from "./op.ts";
import { unaryOf } from "./shared/elementwise.ts";
import { erf } from "./shared/erf.ts";

const tanhForm = (x: number): number => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));

const exactForm = (x: number): number => 0.5 * x * (1 + erf(x / Math.SQRT2));

/** `y = x · Φ(x)` with the normal distribution Φ; `approximate="tanh"`: `x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))`. */
const op: Op = unaryOf((node) => (stringAttr(node, "approximate", "none") === "tanh" ? tanhForm : exactForm), {
  gradient: (g, dy, x) =>
    g.mul(dy, stringAttr(g.node, "approximate", "none") === "tanh" ? tanhSlope(g, x) : exactSlope(g, x)),
});

export default op;
