import type { Op } from "./op.ts";
import { unary } from "./shared/elementwise.ts";

/** `y = x · max(0, min(1, x/6 + 1/2))`. */
const op: Op = unary((x) => x * Math.max(0, Math.min(1, x / 6 + 0.5)));

export default op;
