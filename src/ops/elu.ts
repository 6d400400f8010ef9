import { floatAttr } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { unaryOf } from "./shared/elementwise.ts";

/** `y = x` for x ≥ 0, `α · (eˣ − 1)` below. */
const op: Op = unaryOf((node) => {
  const alpha = floatAttr(node, "alpha", 1);
  return (x) => (x < 0 ? alpha * Math.expm1(x) : x);
});

export default op;
