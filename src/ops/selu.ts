import { floatAttr } from "../ir/graph.ts";
import { indicator } from "./gradient/elementwise.ts";
import type { Op } from "./op.ts";
import { unaryOf } from "./shared/elementwise.ts";

/** `y = γ·x` for x > 0, `γ·α·(eˣ − 1)` below. */
const op: Op = unaryOf(
  (node) => {
    const alpha = floatAttr(node, "alpha", 1.6732631921768188);
    const gamma = floatAttr(node, "gamma", 1.0507010221481323);
    return (x) => (x > 0 ? gamma * x : gamma * alpha * Math.expm1(x));
  },
  {
    // Below zero y + γα = γα · eˣ.
    gradient(g, dy, x, y) {
      const gamma = floatAttr(g.node, "gamma", 1.0507010221481323);
      const scale = gamma * floatAttr(g.node, "alpha", 1.6732631921768188);
      const above = indicator(g, g.emit("Greater", [x, 0]), dy);
      const below = g.mul(g.sub(1, above), g.add(y(), scale));
      return g.mul(dy, g.add(g.mul(above, gamma), below));
    },
  },
);

export default op;
