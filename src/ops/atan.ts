import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = arctan(x)`, in [−π/2, π/2]. */
const op: Op = unary(Math.atan);

export default op;
