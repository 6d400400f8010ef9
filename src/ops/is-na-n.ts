import type { Op } from "./op.ts";
import { unaryTest } from "./shared/elementwise.ts";
import { FLOATS } from "./shared/types.ts";

/** Whether x is NaN. */
const op: Op = unaryTest(() => Number.isNaN, FLOATS);

export default op;
