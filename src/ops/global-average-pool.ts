import { globalAverageGradient } from "./gradient/pool.ts";
import { lowerReduce, spatialAxes } from "./lowering/pool.ts";
import type { Op } from "./op.ts";
import { globalPool, mean } from "./shared/pool.ts";

/** The mean of each channel plane. */
const base: Op = globalPool(() => mean);

const op: Op = {
  ...base,
  gradient: globalAverageGradient,
  integer: lowerReduce("mean", spatialAxes),
  carries: true,
};

export default op;
