import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = cosh(x)`. */
const op: Op = unary(Math.cosh, { gradient: (g, dy, x) => g.mul(dy, g.emit("Sinh", [x])) });

export default op;
