import { intAttr } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { globalPool, norm } from "./shared/pool.ts";

/** The p-norm of each channel plane. */
const op: Op = globalPool((node) => {
  const p = intAttr(node, "p", 2);
  return (values) => norm(values, p);
});

export default op;
