import { absoluteGradient } from "./gradient/reduce.ts";
import type { Op } from "./op.ts";
import { reduction } from "./shared/reduce.ts";

/** Sum of absolute values along axes. */
const op: Op = {
  ...reduction({
    number: (values) => values.reduce((sum, x) => sum + Math.abs(x), 0),
    big: (values) => values.reduce((sum, x) => sum + (x < 0n ? -x : x), 0n),
  }),
  gradient: absoluteGradient,
};

export default op;
