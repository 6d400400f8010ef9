import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = sin(x)`. */
const op: Op = unary(Math.sin);

export default op;
