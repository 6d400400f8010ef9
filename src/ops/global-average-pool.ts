import { lowerReduce, spatialAxes } from "./lowering/pool.ts";
import type { Op } from "./op.ts";
import { globalPool, mean } from "./shared/pool.ts";

/** The mean of each channel plane. */
const base: Op = globalPool(() => mean);

const op: Op = {
  ...base,
  integer: lowerReduce("mean", spatialAxes),
  carries: true,
};

export default op;
