import { stringAttr } from "../ir/graph.ts";
import { square } from "./gradient/elementwise.ts";
import type { GradientBuilder, Value } from "./gradient.ts";
import type { Op } from "./op.ts";
import { unaryOf } from "./shared/elementwise.ts";
import { erf } from "./shared/erf.ts";

const tanhForm = (x: number): number => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));

const exactForm = (x: number): number => 0.5 * x * (1 + erf(x / Math.SQRT2));

/** Φ(x) + x·φ(x), with a = x/√2: (1 + erf a)/2 (a HardSigmoid that never clamps, one pass) + a·e^(−a²)/√π. */
function exactSlope(g: GradientBuilder, x: Value): Value {
  const a = g.mul(x, Math.SQRT1_2);
  const cumulative = g.emit("HardSigmoid", [g.emit("Erf", [a])], { attrs: { alpha: { f: 0.5 }, beta: { f: 0.5 } } });
  const bell = g.mul(g.mul(a, 1 / Math.sqrt(Math.PI)), g.emit("Exp", [g.neg(square(g, a))]));
  return g.add(cumulative, bell);
}

/** With u = √(2/π)·(x + 0.044715·x³) and t = tanh u: (1 + t)/2 + x/2·(1 − t²)·u'. */
function tanhSlope(g: GradientBuilder, x: Value): Value {
  const root = Math.sqrt(2 / Math.PI);
  const squared = square(g, x);
  const t = g.emit("Tanh", [g.mul(x, g.add(g.mul(squared, 0.044715 * root), root))]);
  const slope = g.add(g.mul(squared, 3 * 0.044715 * root), root);
  const bend = g.mul(g.mul(x, g.sub(1, square(g, t))), slope);
  return g.mul(g.add(g.add(t, bend), 1), 0.5);
}

/** `y = x · Φ(x)` with the normal distribution Φ; `approximate="tanh"`: `x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))`. */
const op: Op = unaryOf((node) => (stringAttr(node, "approximate", "none") === "tanh" ? tanhForm : exactForm), {
  gradient: (g, dy, x) =>
    g.mul(dy, stringAttr(g.node, "approximate", "none") === "tanh" ? tanhSlope(g, x) : exactSlope(g, x)),
});

export default op;
