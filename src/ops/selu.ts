import { floatAttr } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { unaryOf } from "./shared/elementwise.ts";

/** `y = γ·x` for x > 0, `γ·α·(eˣ − 1)` below. */
const op: Op = unaryOf((node) => {
  const alpha = floatAttr(node, "alpha", 1.6732631921768188);
  const gamma = floatAttr(node, "gamma", 1.0507010221481323);
  return (x) => (x > 0 ? gamma * x : gamma * alpha * Math.expm1(x));
});

export default op;
