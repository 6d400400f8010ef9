import { square } from "./gradient/elementwise.ts";
import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = arsinh(x)`. */
const op: Op = unary(Math.asinh, {
  gradient: (g, dy, x) => g.div(dy, g.emit("Sqrt", [g.add(square(g, x), 1)])),
});

export default op;
