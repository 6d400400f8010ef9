import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = √x`; NaN below 0. */
const op: Op = unary(Math.sqrt, { bendsAtZero: true });

export default op;
