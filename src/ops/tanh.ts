import { square } from "./gradient/elementwise.ts";
import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = tanh(x)`. */
const op: Op = unary(Math.tanh, {
  settles: 7,
  gradient: (g, dy, _, y) => g.mul(dy, g.sub(1, square(g, y()))),
});

export default op;
