import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = ln(1 + eˣ)`, in the form that neither overflows nor loses small values. */
const op: Op = unary((x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), {
  gradient: (g, dy, x) => g.mul(dy, g.emit("Sigmoid", [x])),
});

export default op;
