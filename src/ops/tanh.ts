import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = tanh(x)`. */
const op: Op = unary(Math.tanh, { settles: 7 });

export default op;
