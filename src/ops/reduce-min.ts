import { extremeOfGradient } from "./gradient/reduce.ts";
import { lowerReduce } from "./lowering/pool.ts";
import type { Op } from "./op.ts";
import { highestOf } from "./shared/limits.ts";
import { reduction } from "./shared/reduce.ts";
import { BOOL, NUMBERS } from "./shared/types.ts";

/** Least element along axes; NaN wins. Of nothing: the highest number of the dtype. */
const base: Op = reduction(
  {
    number: (values, dtype) => values.reduce((best, x) => Math.min(best, x), Number(highestOf(dtype))),
    big: (values, dtype) => values.reduce((best, x) => (x < best ? x : best), BigInt(highestOf(dtype))),
  },
  [...NUMBERS, ...BOOL],
);

const op: Op = {
  ...base,
  gradient: extremeOfGradient,
  integer: lowerReduce("min"),
  operands: { data: [0] },
};

export default op;
