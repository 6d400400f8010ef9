import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";
import { FLOATS, SIGNED } from "./shared/types.ts";

/** `y = max(x, 0)`. */
const op: Op = unary((x) => (x < 0 ? 0 : x), { dtypes: [...FLOATS, ...SIGNED], big: (x) => (x < 0n ? 0n : x) });

export default op;
