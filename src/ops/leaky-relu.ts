import { floatAttr } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { unaryOf } from "./shared/elementwise.ts";

/** `y = x` for x ≥ 0, `α · x` below. */
const op: Op = unaryOf((node) => {
  const alpha = floatAttr(node, "alpha", 0.01);
  return (x) => (x < 0 ? alpha * x : x);
});

export default op;
