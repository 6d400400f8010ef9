import { square } from "./gradient/elementwise.ts";
import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = arcosh(x)`; NaN below 1. */
const op: Op = unary(Math.acosh, {
  gradient: (g, dy, x) => g.div(dy, g.emit("Sqrt", [g.sub(square(g, x), 1)])),
});

export default op;
