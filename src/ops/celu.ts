import { floatAttr } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { unaryOf } from "./shared/elementwise.ts";

/** `y = max(0, x) + min(0, α · (e^(x/α) − 1))`. */
const op: Op = unaryOf(
  (node) => {
    const alpha = floatAttr(node, "alpha", 1);
    return (x) => Math.max(0, x) + Math.min(0, alpha * Math.expm1(x / alpha));
  },
  { gradient: (g, dy, x) => g.mul(dy, g.emit("Exp", [g.div(g.emit("Min", [x, 0]), floatAttr(g.node, "alpha", 1))])) },
);

export default op;
