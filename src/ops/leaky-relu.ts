import { floatAttr } from "../ir/graph.ts";
import { indicator } from "./gradient/elementwise.ts";
import type { Op } from "./op.ts";
import { unaryOf } from "./shared/elementwise.ts";

/** `y = x` for x ≥ 0, `α · x` below. */
const op: Op = unaryOf(
  (node) => {
    const alpha = floatAttr(node, "alpha", 0.01);
    return (x) => (x < 0 ? alpha * x : x);
  },
  {
    gradient(g, dy, x) {
      const alpha = floatAttr(g.node, "alpha", 0.01);
      const above = indicator(g, g.emit("GreaterOrEqual", [x, 0]), dy);
      return g.mul(dy, g.add(g.mul(above, 1 - alpha), alpha));
    },
  },
);

export default op;
