import { floatAttr } from "../ir/graph.ts";
import { masked } from "./gradient/elementwise.ts";
import type { Op } from "./op.ts";
import { unaryOf } from "./shared/elementwise.ts";

/** `y = max(0, min(1, α · x + β))`. */
const op: Op = unaryOf(
  (node) => {
    const alpha = floatAttr(node, "alpha", 0.2);
    const beta = floatAttr(node, "beta", 0.5);
    return (x) => Math.max(0, Math.min(1, alpha * x + beta));
  },
  {
    gradient(g, dy, _, y) {
      const inside = g.emit("And", [g.emit("Greater", [y(), 0]), g.emit("Less", [y(), 1])]);
      return masked(g, g.mul(dy, floatAttr(g.node, "alpha", 0.2)), inside);
    },
  },
);

export default op;
