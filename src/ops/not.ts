import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";
import { BOOL } from "./shared/types.ts";

/** True where x is false. */
const op: Op = unary((x) => 1 - x, { dtypes: BOOL });

export default op;
