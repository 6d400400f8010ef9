import { squareGradient } from "./gradient/reduce.ts";
import type { Op } from "./op.ts";
import { reduction } from "./shared/reduce.ts";

/** Sum of squares along axes; integers wrap. */
const op: Op = {
  ...reduction({
    number: (values) => values.reduce((sum, x) => sum + x * x, 0),
    big: (values) => values.reduce((sum, x) => sum + x * x, 0n),
  }),
  gradient: squareGradient,
};

export default op;
