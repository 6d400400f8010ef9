import type { Op } from "./op.ts";
import { reduction } from "./shared/reduce.ts";

/** Square root of the sum of squares along axes; integers are truncated. */
const op: Op = reduction({ number: (values) => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0)) });

export default op;
