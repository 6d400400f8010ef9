import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

/** `y = x · tanh(ln(1 + eˣ))`. */
const op: Op = unary((x) => x * Math.tanh(softplus(x)));

export default op;
