import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";
import { NUMBERS } from "./shared/types.ts";

/** `y = |x|`; the least number of a signed integer type is its own absolute value, as in two's complement. */
const op: Op = unary(Math.abs, {
  gradient: (g, dy, x) => g.mul(dy, g.emit("Sign", [x])),
  dtypes: NUMBERS,
  big: (x) => (x < 0n ? -x : x),
});

export default op;
