import { indicator } from "./gradient/elementwise.ts";
import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = x · max(0, min(1, x/6 + 1/2))`. */
const op: Op = unary((x) => x * Math.max(0, Math.min(1, x / 6 + 0.5)), {
  // Between −3 and 3 the slope is x/3 + 1/2, below 0, above 1.
  gradient(g, dy, x) {
    const inside = indicator(g, g.emit("Less", [g.emit("Abs", [x]), 3]), dy);
    const above = indicator(g, g.emit("GreaterOrEqual", [x, 3]), dy);
    return g.mul(dy, g.add(g.mul(inside, g.add(g.mul(x, 1 / 3), 0.5)), above));
  },
});

export default op;
