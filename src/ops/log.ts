import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = ln(x)`; −∞ at 0, NaN below. */
const op: Op = unary(Math.log, { bendsAtZero: true, gradient: (g, dy, x) => g.div(dy, x) });

export default op;
