import { intAttr } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { norm, pool } from "./shared/pool.ts";

/** The p-norm of each window. */
const op: Op = pool((node) => {
  const p = intAttr(node, "p", 2);
  return (values) => norm(values, p);
});

export default op;
