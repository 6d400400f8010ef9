import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = artanh(x)`; ±∞ at ±1, NaN beyond. */
const op: Op = unary(Math.atanh);

export default op;
