import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = tanh(x)`. */
const op: Op = unary(Math.tanh);

export default op;
