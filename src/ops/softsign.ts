import { square } from "./gradient/elementwise.ts";
import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = x / (1 + |x|)`. */
const op: Op = unary((x) => x / (1 + Math.abs(x)), {
  gradient: (g, dy, x) => g.div(dy, square(g, g.add(g.emit("Abs", [x]), 1))),
});

export default op;
