import { intAttr } from "../ir/graph.ts";
import { averagePoolGradient } from "./gradient/pool.ts";
import { lowerAveragePool } from "./lowering/pool.ts";
import type { Op } from "./op.ts";
import { pool } from "./shared/pool.ts";

/** The mean of each window; the padding counts as zeros with `count_include_pad`, else not at all. */
const base: Op = pool((node) => {
  const padded = intAttr(node, "count_include_pad", 0) === 1;
  return (values, places) => values.reduce((sum, value) => sum + value, 0) / (padded ? places : values.length);
});

const op: Op = {
  ...base,
  gradient: averagePoolGradient,
  integer: lowerAveragePool,
};

export default op;
