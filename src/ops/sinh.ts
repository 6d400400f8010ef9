import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = sinh(x)`. */
const op: Op = unary(Math.sinh, { gradient: (g, dy, x) => g.mul(dy, g.emit("Cosh", [x])) });

export default op;
