import { square } from "./gradient/elementwise.ts";
import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = arccos(x)`, in [0, π]; NaN outside [−1, 1]. */
const op: Op = unary(Math.acos, {
  gradient: (g, dy, x) => g.neg(g.div(dy, g.emit("Sqrt", [g.sub(1, square(g, x))]))),
});

export default op;
