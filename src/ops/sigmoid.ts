import { sigmoidSlope } from "./gradient/elementwise.ts";
import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = 1 / (1 + e^(−x))`. */
const op: Op = unary((x) => 1 / (1 + Math.exp(-x)), {
  settles: 12,
  gradient: (g, dy, _, y) => g.mul(dy, sigmoidSlope(g, y())),
});

export default op;
