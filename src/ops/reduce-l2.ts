import { rootGradient } from "./gradient/reduce.ts";
import { lowerReduceL2 } from "./lowering/pool.ts";
import type { Op } from "./op.ts";
import { reduction } from "./shared/reduce.ts";

/** Square root of the sum of squares along axes; integers are truncated. */
const base: Op = reduction({ number: (values) => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0)) });

const op: Op = {
  ...base,
  gradient: rootGradient,
  integer: lowerReduceL2,
  // Magnitudes span decades: what is quiet is still there in 16 bits.
  wantsWide: true,
  operands: { data: [0] },
};

export default op;
