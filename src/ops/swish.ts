import { floatAttr } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { unaryOf } from "./shared/elementwise.ts";

/** `y = x / (1 + e^(−α·x))`. */
const op: Op = unaryOf(
  (node) => {
    const alpha = floatAttr(node, "alpha", 1);
    return (x) => x / (1 + Math.exp(-alpha * x));
  },
  {
    // With s = σ(αx) and y = x·s: y' = s + α·y·(1 − s).
    gradient(g, dy, x, y) {
      const alpha = floatAttr(g.node, "alpha", 1);
      const s = g.emit("Sigmoid", [alpha === 1 ? x : g.mul(x, alpha)]);
      const bent = g.mul(y(), g.sub(1, s));
      return g.mul(dy, g.add(s, alpha === 1 ? bent : g.mul(bent, alpha)));
    },
  },
);

export default op;
