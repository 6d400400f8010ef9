import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = eˣ`. */
const op: Op = unary(Math.exp);

export default op;
