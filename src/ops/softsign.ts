import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = x / (1 + |x|)`. */
const op: Op = unary((x) => x / (1 + Math.abs(x)));

export default op;
