import { square } from "./gradient/elementwise.ts";
import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = arcsin(x)`, in [−π/2, π/2]; NaN outside [−1, 1]. */
const op: Op = unary(Math.asin, {
  gradient: (g, dy, x) => g.div(dy, g.emit("Sqrt", [g.sub(1, square(g, x))])),
});

export default op;
