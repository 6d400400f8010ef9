import { meanGradient } from "./gradient/reduce.ts";
import { lowerReduce } from "./lowering/pool.ts";
import type { Op } from "./op.ts";
import { reduction } from "./shared/reduce.ts";

/** Mean along axes; integers are truncated towards zero. */
const base: Op = reduction({
  number: (values) => values.reduce((sum, x) => sum + x, 0) / values.length,
  big: (values) => (values.length === 0 ? 0n : values.reduce((sum, x) => sum + x, 0n) / BigInt(values.length)),
});

const op: Op = {
  ...base,
  gradient: meanGradient,
  integer: lowerReduce("mean"),
  carries: true,
  operands: { data: [0] },
};

export default op;
