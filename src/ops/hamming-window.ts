import type { Op } from "./op.ts";
import { windowFunction } from "./shared/window-function.ts";

/** The Hamming window of the size that input 0 states. */
const op: Op = windowFunction([25 / 46, 21 / 46]);

export default op;
