import type { Op } from "./op.ts";
import { globalPool, mean } from "./shared/pool.ts";

/** The mean of each channel plane. */
const op: Op = globalPool(() => mean);

export default op;
