import { square } from "./gradient/elementwise.ts";
import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

/** `y = x · tanh(ln(1 + eˣ))`. */
const op: Op = unary((x) => x * Math.tanh(softplus(x)), {
  // With t = tanh(softplus x): y' = t + x·(1 − t²)·σ(x).
  gradient(g, dy, x) {
    const t = g.emit("Tanh", [g.emit("Softplus", [x])]);
    return g.mul(dy, g.add(t, g.mul(g.mul(x, g.sub(1, square(g, t))), g.emit("Sigmoid", [x]))));
  },
});

export default op;
