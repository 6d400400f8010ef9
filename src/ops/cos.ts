import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = cos(x)`, x in radians. */
const op: Op = unary(Math.cos);

export default op;
