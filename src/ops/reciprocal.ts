import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = 1 / x`. */
const op: Op = unary((x) => 1 / x, { bendsAtZero: true });

export default op;
