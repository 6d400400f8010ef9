import { floatAttr } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { unaryOf } from "./shared/elementwise.ts";

/** `y = x` for x > α, else 0. */
const op: Op = unaryOf((node) => {
  const alpha = floatAttr(node, "alpha", 1);
  return (x) => (x > alpha ? x : 0);
});

export default op;
