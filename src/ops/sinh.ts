import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = sinh(x)`. */
const op: Op = unary(Math.sinh);

export default op;
