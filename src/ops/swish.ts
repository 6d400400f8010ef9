import { floatAttr } from "../ir/graph.ts";
import { swishSlope } from "./gradient/gelu.ts";
import type { Op } from "./op.ts";
import { unaryOf } from "./shared/elementwise.ts";

/** `y = x / (1 + e^(−α·x))`. */
const op: Op = unaryOf(
  (node) => {
    const alpha = floatAttr(node, "alpha", 1);
    return (x) => x / (1 + Math.exp(-alpha * x));
  },
  { gradient: (g, dy, x, y) => g.mul(dy, swishSlope(g, x, y(), floatAttr(g.node, "alpha", 1))) },
);

export default op;
