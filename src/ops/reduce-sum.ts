import type { Op } from "./op.ts";
import { reduction } from "./shared/reduce.ts";

/** Sum along axes; integers wrap. */
const op: Op = reduction({
  number: (values) => values.reduce((sum, x) => sum + x, 0),
  big: (values) => values.reduce((sum, x) => sum + x, 0n),
});

export default op;
