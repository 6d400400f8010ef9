import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = eˣ`. */
const op: Op = unary(Math.exp, { gradient: (g, dy, _, y) => g.mul(dy, y()) });

export default op;
