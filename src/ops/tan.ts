import { square } from "./gradient/elementwise.ts";
import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = tan(x)`. */
const op: Op = unary(Math.tan, { gradient: (g, dy, _, y) => g.mul(dy, g.add(square(g, y()), 1)) });

export default op;
