import { floatAttr } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { unaryOf } from "./shared/elementwise.ts";

/** `y = x` for x ≥ 0, `α · (eˣ − 1)` below. */
const op: Op = unaryOf(
  (node) => {
    const alpha = floatAttr(node, "alpha", 1);
    return (x) => (x < 0 ? alpha * Math.expm1(x) : x);
  },
  {
    // Below zero y + α = α · eˣ; above, the first term is α and has to be 1.
    gradient(g, dy, x, y) {
      const alpha = floatAttr(g.node, "alpha", 1);
      const below = g.add(g.emit("Min", [y(), 0]), alpha);
      return g.mul(dy, alpha === 1 ? below : g.emit("Where", [g.emit("Less", [x, 0]), below, 1]));
    },
  },
);

export default op;
