import type { Op } from "./op.ts";
import { arg } from "./shared/arg.ts";

/** The place of the largest element along `axis`, int64. */
const op: Op = arg((a, b) => a > b);

export default op;
