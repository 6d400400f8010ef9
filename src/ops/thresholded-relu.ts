import { floatAttr } from "../ir/graph.ts";
import { masked } from "./gradient/elementwise.ts";
import type { Op } from "./op.ts";
import { unaryOf } from "./shared/elementwise.ts";

/** `y = x` for x > α, else 0. */
const op: Op = unaryOf(
  (node) => {
    const alpha = floatAttr(node, "alpha", 1);
    return (x) => (x > alpha ? x : 0);
  },
  { gradient: (g, dy, x) => masked(g, dy, g.emit("Greater", [x, floatAttr(g.node, "alpha", 1)])) },
);

export default op;
