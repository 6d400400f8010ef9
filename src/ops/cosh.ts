import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = cosh(x)`. */
const op: Op = unary(Math.cosh);

export default op;
