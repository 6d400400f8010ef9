import { square } from "./gradient/elementwise.ts";
import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = artanh(x)`; ±∞ at ±1, NaN beyond. */
const op: Op = unary(Math.atanh, { gradient: (g, dy, x) => g.div(dy, g.sub(1, square(g, x))) });

export default op;
