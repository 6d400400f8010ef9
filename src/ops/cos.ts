import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = cos(x)`, x in radians. */
const op: Op = unary(Math.cos, { gradient: (g, dy, x) => g.neg(g.mul(dy, g.emit("Sin", [x]))) });

export default op;
