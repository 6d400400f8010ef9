import type { Op } from "./op.ts";
import { comparison } from "./shared/elementwise.ts";
import { NUMBERS } from "./shared/types.ts";

/** `a > b`. */
const op: Op = comparison((a, b) => a > b, NUMBERS);

export default op;
