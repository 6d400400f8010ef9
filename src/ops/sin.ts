import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = sin(x)`. */
const op: Op = unary(Math.sin, { gradient: (g, dy, x) => g.mul(dy, g.emit("Cos", [x])) });

export default op;
