import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";
import { FLOATS, SIGNED } from "./shared/types.ts";

/** `y = −x`. */
const op: Op = unary((x) => -x, { dtypes: [...FLOATS, ...SIGNED], big: (x) => -x, gradient: (g, dy) => g.neg(dy) });

export default op;
