import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = arcosh(x)`; NaN below 1. */
const op: Op = unary(Math.acosh);

export default op;
