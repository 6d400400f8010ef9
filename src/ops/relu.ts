import type { RidingOf } from "./integer.ts";
import { lowerUnary } from "./lowering/elementwise.ts";
import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";
import { FLOATS, SIGNED } from "./shared/types.ts";

/** `y = max(x, 0)`. */
const base: Op = unary((x) => (x < 0 ? 0 : x), { dtypes: [...FLOATS, ...SIGNED], big: (x) => (x < 0n ? 0n : x) });

const riding: RidingOf = () => ({ kind: "clamp", low: 0, high: Number.POSITIVE_INFINITY });

const op: Op = {
  ...base,
  riding,
  integer: lowerUnary(riding),
};

export default op;
