import { sumGradient } from "./gradient/reduce.ts";
import { lowerReduce } from "./lowering/pool.ts";
import type { Op } from "./op.ts";
import { reduction } from "./shared/reduce.ts";

/** Sum along axes; integers wrap. */
const base: Op = reduction({
  number: (values) => values.reduce((sum, x) => sum + x, 0),
  big: (values) => values.reduce((sum, x) => sum + x, 0n),
});

const op: Op = {
  ...base,
  gradient: sumGradient,
  integer: lowerReduce("sum"),
  carries: true,
  operands: { data: [0] },
};

export default op;
