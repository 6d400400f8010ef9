import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = tan(x)`. */
const op: Op = unary(Math.tan);

export default op;
