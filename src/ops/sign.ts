import { flatGradient } from "./gradient/elementwise.ts";
import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";
import { NUMBERS } from "./shared/types.ts";

/** `y` is −1, 0 or 1, as the sign of x; NaN stays NaN. */
const op: Op = {
  ...unary(Math.sign, { dtypes: NUMBERS, big: (x) => (x > 0n ? 1n : x < 0n ? -1n : 0n) }),
  gradient: flatGradient,
};

export default op;
