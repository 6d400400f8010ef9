import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = ln(x)`; −∞ at 0, NaN below. */
const op: Op = unary(Math.log, { bendsAtZero: true });

export default op;
