import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = √x`; NaN below 0. */
const op: Op = unary(Math.sqrt, { bendsAtZero: true, gradient: (g, dy, _, y) => g.div(g.mul(dy, 0.5), y()) });

export default op;
