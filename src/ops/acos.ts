import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = arccos(x)`, in [0, π]; NaN outside [−1, 1]. */
const op: Op = unary(Math.acos);

export default op;
