import { square } from "./gradient/elementwise.ts";
import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = 1 / x`. */
const op: Op = unary((x) => 1 / x, {
  bendsAtZero: true,
  gradient: (g, dy, _, y) => g.neg(g.mul(dy, square(g, y()))),
});

export default op;
