import { globalMaxGradient } from "./gradient/pool.ts";
import { lowerReduce, spatialAxes } from "./lowering/pool.ts";
import type { Op } from "./op.ts";
import { globalPool } from "./shared/pool.ts";

/** The largest number of each channel plane. */
const op: Op = {
  gradient: globalMaxGradient,
  integer: lowerReduce("max", spatialAxes),
  ...globalPool(
    () => (values) => values.reduce((largest, value) => Math.max(largest, value), Number.NEGATIVE_INFINITY),
  ),
  passesThrough: true,
};

export default op;
