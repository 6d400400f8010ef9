import { square } from "./gradient/elementwise.ts";
import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = arctan(x)`, in [−π/2, π/2]. */
const op: Op = unary(Math.atan, { gradient: (g, dy, x) => g.div(dy, g.add(square(g, x), 1)) });

export default op;
