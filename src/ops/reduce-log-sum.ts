import { logSumGradient } from "./gradient/reduce.ts";
import type { Op } from "./op.ts";
import { reduction } from "./shared/reduce.ts";

/** Natural logarithm of the sum along axes. */
const op: Op = {
  ...reduction({ number: (values) => Math.log(values.reduce((sum, x) => sum + x, 0)) }),
  gradient: logSumGradient,
};

export default op;
