import type { Op } from "./op.ts";
import { windowFunction } from "./shared/window-function.ts";

/** The Blackman window of the size that input 0 states. */
const op: Op = windowFunction([0.42, 0.5, 0.08]);

export default op;
